// SPDX-License-Identifier: Apache-2.0

import TestSupport
import TestTraits
import Testing

/// What commands that change something say when they have.
@Suite(.blocking, .serialized) struct ReportTests {
    @Test("a command that changes something reports what it has done, on standard error")
    func reports() throws {
        let site = try Site(extra: "outputs: [{name: copy, type: stdout}]")
        let guest = try Chardev(site.path + "/vms/web.sock")
        try guest.accept()
        #expect(eventually { site.guestlog("vms", "web", by: .socket).status == 0 })
        let token = site.guestlog("token", "add", by: .socket)
        let id =
            site.guestlog("token", "list", by: .socket).text.split(separator: "\n").last?.prefix { $0 != " " } ?? ""
        #expect(token.status == 0 && !id.isEmpty)
        for (words, report) in [
            (["outputs", "skip", "copy"], "the output copy continues with what is stored from now on"),
            (
                ["outputs", "replay", "copy", "--since", "-1h"],
                "the output copy sends again what was received since -1h"
            ),
            (["token", "revoke", String(id)], "the token \(id) was revoked"),
            (["drop", "web"], "web is no longer captured; its log stays"),
        ] {
            let answer = site.guestlog(words, by: .socket)
            #expect(answer.status == 0 && answer.text.isEmpty, "\(words): \(answer.standardError)")
            #expect(answer.standardError == "guestlog: \(report)\n")
        }
    }
}
