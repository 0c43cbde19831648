// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import SystemIO
import TestSupport
import TestTraits
import Testing

/// A daemon that receives the Forward protocol, from our own output and from programs of others.
@Suite(.blocking, .serialized) struct ForwardSourceTests {
    private static let python = Program.variable("GUESTLOG_OUTPUT_CLIENTS").map { $0 + "/python3" }

    /// A site whose receiver stores each record under the VM in its field `vm`.
    private func receiver(_ extra: String = "") throws -> (site: Site, port: UInt16) {
        let port = try ComputeHost.freeAddress(from: 26_224).port
        let site = try Site(
            extra: """
                sources:
                  - { type: forward, listen: '127.0.0.1:\(port)', vm: other, vm_fields: [vm], stream: forward \(extra)}

                """
        )
        return (site, port)
    }

    /// The messages that were stored, without repeats, in the order of their first occurrences.
    private func messages(_ site: Site, _ vm: String) -> [String] {
        var known: Set<String> = []
        let logs = site.guestlog("logs", vm, "-s", "forward", "-o", "json")
        return logs.text.split(separator: "\n").compactMap { (try? JSON(parsing: $0.utf8))?["text"]?.text }
            .filter { known.insert($0).inserted }
    }

    @Test("what was acknowledged is stored, in order, however often the receiver is killed")
    func kills() throws {
        let kills = Program.variable("GUESTLOG_OUTPUT_KILLS").flatMap { Int($0) } ?? 5
        let (site, port) = try receiver()
        let sender = try Site(
            extra: """
                outputs:
                  - { name: next, type: forward, servers: ['127.0.0.1:\(port)'], interval: 1ms, from: beginning }

                """
        )
        let console = try Chardev(sender.path + "/vms/web.sock")
        try console.accept()
        let perKill = 500
        for kill in 0..<kills {
            for start in stride(from: kill * perKill, to: (kill + 1) * perKill, by: 100) {
                console.emit((start..<start + 100).map { "line \($0)\n" }.joined())
            }
            let awaited = FileText.size(below: site.storePath)
            _ = eventually(within: Double(kill % 5) / 10) { FileText.size(below: site.storePath) > awaited + 1000 }
            site.stop(SIGKILL)
            try site.start()
        }
        let expected = (0..<kills * perKill).map { "line \($0)" }
        func delivered() -> Int64? {
            let status = sender.guestlog("outputs", "status", "-o", "json", by: .socket).text
            return (try? JSON(parsing: status.utf8))?["delivered"]?.integer
        }
        #expect(eventually { delivered() ?? 0 >= Int64(expected.count) })
        #expect(messages(site, "web") == expected)
    }

    @Test(
        "PyPI's fluent-logger sends events",
        .enabled(if: python != nil, "needs GUESTLOG_OUTPUT_CLIENTS: a folder with python3 and fluent-logger")
    )
    func fluentLogger() throws {
        let (site, port) = try receiver()
        let script = """
            from fluent import sender
            log = sender.FluentSender("app", host="127.0.0.1", port=\(port), nanosecond_precision=True)
            for number in range(1000):
                assert log.emit("web", {"message": f"event {number}", "number": number, "deep": {"a": [1, None]}}), log.last_error
            log.close()

            """
        let client = ChildProcess([Self.python ?? "", "-c", script], name: "client", in: site.path)
        #expect(client.wait() == 0, "\(client.standardError)")
        #expect(eventually { messages(site, "other").count == 1000 })
        #expect(messages(site, "other") == (0..<1000).map { "event \($0)" })
        let found = site.guestlog("logs", "other", "number=7", "tag=app.web", "-o", "json").text
        #expect(found.contains(#""deep.a":"[1,null]""#) || found.contains(#""deep.a":[1,null]"#), "\(found)")
    }
}
