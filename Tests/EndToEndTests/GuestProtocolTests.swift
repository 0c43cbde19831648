// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import TestSupport
import Testing

extension EndToEnd {
    /// The protocols of the collector, with clients of protoc's code and of Google's gRPC.
    @Suite(
        .enabled(
            if: ComputeHost.clients != nil,
            "needs GUESTLOG_OPENSTACK_CLIENT: a folder with a python3 that has grpcio-tools (scripts/test e2e)"
        )
    )
    struct GuestProtocolTests {
        private func site() throws -> Site {
            let site = try Site(isServed: false)
            FileText.write(
                FileText.text(site.configuration)
                    + "collector: { port: none, guests: [{ listen: '\(site.path)/web.sock', name: web }] }\n",
                to: site.configuration
            )
            try site.start()
            return site
        }

        private func python(_ mode: String, _ socket: String, in folder: String) -> ChildProcess {
            let repository = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
            let script = repository + "/Tests/EndToEndTests/Clients/guest_channel.py"
            let proto = repository + "/docs/guest_channel.proto"
            let command = [(ComputeHost.clients ?? "") + "/python3", script, mode, proto, socket]
            return ChildProcess(command, name: "python-\(mode)", in: folder)
        }

        private func records(_ site: Site) throws -> [JSON] {
            try site.guestlog("logs", "web", "--stream", "guest", "-o", "raw").bytes.split(separator: Lines.feed)
                .map { try JSON(parsing: $0) }
        }

        @Test("an agent made of protoc's code is understood, and understands the answers")
        func agent() throws {
            let site = try site()
            let agent = python("send", site.path + "/web.sock", in: site.path)
            #expect(agent.wait() == 0, "\(agent.standardError)")
            let answers = agent.text.split(separator: "\n")
            #expect(answers.first?.contains("welcome {") == true && answers.last?.contains("sequence: 3") == true)
            let records = try records(site)
            #expect(records.map { $0["MESSAGE"]?.text } == ["m1", "m2", "m3"])
            #expect(records.first?["GUESTLOG_TIME"]?.text == "2023-11-14T22:13:20.000000001Z")
            let fields = ["PRIORITY", "SYSLOG_FACILITY", "_TRANSPORT", "_KERNEL_SEQUENCE", "_KERNEL_SUBSYSTEM"]
            #expect(fields.map { records.first?[$0]?.text } == ["3", "0", "kernel", "0", "net"])
        }

        @Test("a collector made of protoc's code understands the agent")
        func collector() throws {
            let folder = TemporaryFolder()
            let collector = python("receive", folder.path + "/host.sock", in: folder.path)
            #expect(eventually { collector.text.contains("listening") })
            let command = [
                Program.built("guestlog-agent"), "--to", "unix:\(folder.path)/host.sock", "--syslog-socket",
                "\(folder.path)/log", "--no-kernel", "--state", folder.path,
            ]
            let agent = ChildProcess(command, name: "agent", in: folder.path)
            #expect(eventually { access(folder.path + "/log", F_OK) == 0 })
            let script = """
                import socket
                log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                for text in (b"<27>app[7]: one", b"<165>1 - h app 8 ID [e@1 a=\\"b\\"] two", b"three"):
                    log.sendto(text, "\(folder.path)/log")
                """
            let sender = ChildProcess(["python3", "-c", script], name: "sender", in: folder.path)
            #expect(sender.wait() == 0, "\(sender.standardError)")
            #expect(collector.wait() == 0, "\(collector.standardError)")
            let lines = collector.text.split(separator: "\n").dropFirst().map { $0.trimmingSuffix { $0 == " " } }
            let expected: [String] = [
                #"severity: ERROR content: "one" sequence: 1 source: SYSLOG facility: 3 tag: "app" process: "7""#,
                """
                severity: NOTICE content: "two" sequence: 2 source: SYSLOG facility: 20 hostname: "h" tag: "app" \
                process: "8" message_id: "ID" fields { name: "e@1.a" value: "b" }
                """,
                #"severity: NOTICE content: "three" sequence: 3 source: SYSLOG facility: 1"#,
            ]
            #expect(lines == expected)
            agent.stop()
        }

        @Test("Google's gRPC understands the agent that speaks ChromeOS's protocol, and refuses what it does not want")
        func forwarder() throws {
            let folder = TemporaryFolder()
            let forwarder = python("forwarder", folder.path + "/host.sock", in: folder.path)
            #expect(eventually { forwarder.text.contains("listening") })
            let command = [
                Program.built("guestlog-agent"), "--to", "unix:\(folder.path)/host.sock", "--protocol", "chromeos",
                "--syslog-socket", "\(folder.path)/log", "--state", folder.path,
            ]
            let withoutKernel = access("/dev/kmsg", R_OK) == 0 ? [] : ["--no-kernel"]
            let agent = ChildProcess(command + withoutKernel, name: "agent", in: folder.path)
            #expect(eventually { access(folder.path + "/log", F_OK) == 0 })
            let script = """
                import socket
                log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                for text in (b"<27>app[7]: one", b"<165>1 - h app 8 ID [e@1 a=\\"b\\"] two", b"three", b"x" * 60000, b"five"):
                    log.sendto(text, "\(folder.path)/log")
                """
            let sender = ChildProcess(["python3", "-c", script], name: "sender", in: folder.path)
            #expect(sender.wait() == 0, "\(sender.standardError)")
            #expect(forwarder.wait() == 0, "\(forwarder.standardError)")
            let lines = forwarder.text.split(separator: "\n").dropFirst().map(String.init)
            let long = "NOTICE " + String(repeating: "x", count: 60_000)
            #expect(
                lines.filter { !$0.hasSuffix("of the kernel") }
                    == ["ERROR app[7]: one", "NOTICE app[8]: two", "NOTICE three", long, "NOTICE five"]
            )
            #expect(lines.count { $0.hasSuffix("of the kernel") } <= 1)
            agent.stop()
        }

        @Test("ChromeOS's calls are answered when their records are stored")
        func chromeOS() throws {
            let site = try site()
            let client = python("chromeos", site.path + "/web.sock", in: site.path)
            #expect(client.wait() == 0, "\(client.standardError)")
            #expect(client.text == "OK\nOK\nOK\nUNIMPLEMENTED\n")
            let records = try records(site)
            #expect(records.map { $0["MESSAGE"]?.text } == (0..<900).map { "c\($0 % 300)" })
            #expect(records[300]["_TRANSPORT"]?.text == "kernel" && records[0]["PRIORITY"]?.text == "4")
        }
    }
}

extension Substring {
    fileprivate func trimmingSuffix(_ predicate: (Character) -> Bool) -> String {
        var rest = self
        while let last = rest.last, predicate(last) {
            rest.removeLast()
        }
        return String(rest)
    }
}
