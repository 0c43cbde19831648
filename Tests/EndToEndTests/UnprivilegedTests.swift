// SPDX-License-Identifier: Apache-2.0

import TestServers
import TestSupport
import Testing

/// What ordinary users run. `kubectl guestlog` runs without privileges in its own tests.
@Suite struct UnprivilegedTests {
    @Test("logs --from reaches its engine without privileges")
    func from() throws {
        let server = try StandInServer { _ in .status(404) }
        let folder = TemporaryFolder()
        let words = ["logs", "web", "--from", "loki+" + server.url]
        let call = ChildProcess(Program.unprivileged + [Program.guestlog] + words, name: "logs", in: folder.path)
        call.wait()
        #expect(!server.requests.isEmpty, "\(call.standardError)")
    }
}
