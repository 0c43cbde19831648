// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import TestSupport
import Testing

extension EndToEnd {
    /// The flows of KubeVirt's design of the serial console log, with a real guest under libvirt: a VM that is not
    /// logged, and one that is. The hook makes the domain's XML and the webhook's decision the container, whose command
    /// runs as a process.
    @Suite(
        .serialized,
        .enabled(
            if: LibvirtHost.isPossible
                && (ConsoleLogFlowTests.isLarge || Program.variable("GUESTLOG_CONSOLE_FLOWS") != nil),
            "takes 20 s: GUESTLOG_CONSOLE_FLOWS=1; needs root, libvirtd, virtlogd and virsh"
        )
    )
    struct ConsoleLogFlowTests {
        /// The lines that the guest prints, and the size of a file. `GUESTLOG_CONSOLE_FLOOD` runs it with 20 MB, virtlogd's
        /// own file size, and both log daemons.
        static let isLarge = Program.variable("GUESTLOG_CONSOLE_FLOOD") != nil
        private static let lines = isLarge ? 2_600_000 : 50_000
        private static let fileSize = isLarge ? 2 << 20 : 64 << 10
        static let daemons: [LibvirtHost.LogDaemon] = isLarge ? LibvirtHost.LogDaemon.allCases : [.guestlog]

        private static let uid = "bf9afcc1-fe55-4f63-919a-807b59efff76"
        private static let folder = "/run/kubevirt-private/\(uid)"
        private static let socket = "/var\(folder)/virt-serial0"

        private static let pod = """
            {"apiVersion":"v1","kind":"Pod","metadata":{"name":"virt-launcher-web","namespace":"simone",
              "labels":{"kubevirt.io":"virt-launcher","kubevirt.io/created-by":"\(uid)"}},
             "spec":{"containers":[{"name":"compute","image":"kubevirt/virt-launcher"}],
              "volumes":[{"name":"private","emptyDir":{}}]}}
            """

        private func instance(log: Bool) -> String {
            #"{"metadata":{"uid":"\#(Self.uid)"},"spec":{"domain":{"devices":{"logSerialConsole":\#(log)}}}}"#
        }

        /// The domain as KubeVirt's hook gets it, and as it leaves the hook.
        private func domain(_ host: LibvirtHost, log: Bool) -> (before: String, after: String) {
            let plain = host.domain("web", lines: 0).replacing(#/<log [^>]*>/#, with: "")
                .replacing(host.path + "/web.sock", with: Self.socket)
                .replacing("glogin=0 gpoweroff=1", with: "glogin=1")
            let hook = host.run([
                Program.guestlog, "kubevirt", "on-define-domain", "--vmi", instance(log: log), "--domain", plain,
            ])
            #expect(hook.status == 0, "\(hook.standardError)")
            return (plain, hook.text)
        }

        /// The container that a pod gets; nil when it gets none.
        private func container(_ host: LibvirtHost, log: Bool) throws -> JSON? {
            FileText.write(instance(log: log), to: host.path + "/vmi.json")
            FileText.write(Self.pod, to: host.path + "/pod.json")
            let script = "'\(Program.guestlog)' kubevirt patch --vmi vmi.json --image ours <pod.json"
            let patch = host.run(["sh", "-c", "cd '\(host.path)' && " + script])
            #expect(patch.status == 0, "\(patch.standardError)")
            return try JSON(parsing: Array(patch.text.utf8)).elements?.compactMap { $0["value"] }
                .flatMap { $0.elements ?? [$0] }.first { $0["name"]?.text == "guest-console-log" }
        }

        private func console(_ host: LibvirtHost) -> TerminalSession {
            let words = ["socat", "STDIO,raw,echo=0,escape=0x1d", "UNIX-CONNECT:" + Self.socket]
            return TerminalSession(host.inWorld(words))
        }

        /// The files of the console's log by their sizes, the newest first.
        private func files(_ host: LibvirtHost) -> [Int] {
            host.files(host.outside(Self.folder) + "/virt-serial0-log").map(\.bytes.count)
        }

        @Test("with logSerialConsole: false there is no <log>, no container and no file; the console works")
        func notLogged() throws {
            let host = try LibvirtHost()
            _ = host.run(["mkdir", "-p", Self.folder])
            let (before, after) = domain(host, log: false)
            #expect(after == before && !after.contains("<log"))
            #expect(try container(host, log: false) == nil)
            #expect(host.create("web", after).status == 0)
            let console = console(host)
            #expect(console.shows("login: "))
            #expect(FileText.names(in: host.outside(Self.folder)) == ["virt-serial0"])
        }

        @Test(
            "with logSerialConsole: true there are all three; a login is in the log, its password is not; a flood is rotated",
            arguments: daemons
        )
        func logged(daemon: LibvirtHost.LogDaemon) throws {
            let host = try LibvirtHost(daemon, fileSize: Self.fileSize)
            _ = host.run(["mkdir", "-p", Self.folder])
            let (_, xml) = domain(host, log: true)
            #expect(xml.contains("<log file='/var\(Self.folder)/virt-serial0-log' append='on'/>"))
            let container = try #require(try container(host, log: true))
            #expect(container["command"]?.elements?.map(\.text) == ["/usr/bin/virt-tail"])
            let arguments = (container["args"]?.elements ?? []).compactMap(\.text)
            #expect(arguments == ["--logfile", "/var\(Self.folder)/virt-serial0-log"])
            let tail = host.begin([Program.built("virt-tail")] + arguments, name: "tail")

            #expect(host.create("web", xml).status == 0)
            #expect(host.virsh("dumpxml", "web").text.contains("<log file="))
            let console = console(host)
            #expect(console.shows("login: "))
            console.type("root\n")
            #expect(console.shows("Password: "))
            console.type(GuestImage.password + "\n")
            #expect(console.shows("guest# "))
            console.type("echo the answer is $((6 * 7))\n")
            #expect(console.shows("the answer is 42"))
            #expect(eventually { tail.text.contains("the answer is 42") }, "\(tail.standardError)")
            let session = tail.text
            let prompt = try #require(session.firstRange(of: "Password: "))
            let shell = try #require(session.firstRange(of: "guest# "))
            #expect(!session[prompt.upperBound..<shell.lowerBound].contains(GuestImage.password + "\r"))
            #expect(files(host).count == 1)

            console.type("seq 1 \(Self.lines); echo the flood is $((6 * 7))\n")
            #expect(eventually { tail.output.count > session.utf8.count + 100 })
            // The session is left: nobody but the log daemon reads.
            console.type("\u{1d}")
            #expect(console.wait() == 0)
            #expect(
                eventually(within: 300) { tail.output.suffix(200).firstRange(of: Array("the flood is 42".utf8)) != nil }
            )
            let sizes = files(host)
            #expect(sizes.count == 4 && sizes.allSatisfy { $0 <= Self.fileSize }, "\(sizes)")
            let numbers = tail.text.split(whereSeparator: \.isNewline).compactMap { Int($0) }
            #expect(numbers == Array(1...Self.lines), "\(numbers.count) lines")
            #expect(host.virsh("destroy", "web").status == 0)
            #expect(tail.stop(SIGTERM) == 0)
        }
    }
}
