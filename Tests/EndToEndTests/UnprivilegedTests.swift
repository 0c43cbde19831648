// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO
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

    @Test("the agent opens a port of root's before it becomes another user", .enabled(if: geteuid() == 0, "needs root"))
    func agentPort() throws {
        let terminal = try PseudoTerminal()
        chmod(terminal.path, 0o600)
        let folder = TemporaryFolder()
        let words = ["--to", "serial:" + terminal.path, "--user", "nobody", "--no-kernel", "--syslog-socket", "none"]
        let agent = ChildProcess(
            [Program.built("guestlog-agent"), "--state", folder.path + "/state"] + words,
            name: "agent",
            in: folder.path
        )
        var polled = pollfd(fd: terminal.master.raw, events: Int16(POLLIN), revents: 0)
        let hasSent = eventually { poll(&polled, 1, 0) == 1 && polled.revents & Int16(POLLIN) != 0 }
        #expect(hasSent, "\(agent.standardError)")
        agent.stop(SIGKILL)
        _ = consume terminal
    }
}
