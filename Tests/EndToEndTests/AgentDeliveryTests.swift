// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import LogStore
import SystemIO
import TestSupport
import Testing

extension EndToEnd {
    /// The agent as a program on this machine, with a syslog socket of its own, and a daemon that ends and returns.
    @Suite struct AgentDeliveryTests {
        /// A program that logs through the agent.
        private final class LoggingClient {
            private let socket: Descriptor
            private var next = 0

            init(_ path: String) throws {
                let raw = Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
                socket = Descriptor(owning: raw)
                var address = sockaddr_un()
                address.sun_family = sa_family_t(AF_UNIX)
                withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
                let connected = withUnsafePointer(to: &address) { pointer in
                    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                        connect(raw, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
                    }
                }
                try #require(connected == 0)
            }

            /// Logs the next `count` numbers.
            func log(_ count: Int) {
                for _ in 0..<count {
                    let bytes = Array("<30>count: \(next)".utf8)
                    #expect(send(socket.raw, bytes, bytes.count, 0) == bytes.count)
                    next += 1
                }
            }
        }

        private func agent(_ site: Site, _ options: String..., name: String = "agent") -> ChildProcess {
            let command = [
                Program.built("guestlog-agent"), "--to", "unix:\(site.path)/web.sock", "--syslog-socket",
                "\(site.path)/log", "--no-kernel", "--state", site.path,
            ]
            return ChildProcess(command + options, name: name, in: site.path)
        }

        private func site() throws -> Site {
            let site = try Site(isServed: false)
            FileText.write(
                FileText.text(site.configuration)
                    + "collector: { port: none, guests: [{ listen: '\(site.path)/web.sock', name: web }] }\n",
                to: site.configuration
            )
            return site
        }

        private func numbers(_ site: Site) throws -> [Int] {
            let answer = site.guestlog("logs", "web", "--stream", "guest", "-o", "raw")
            return try answer.bytes.split(separator: Lines.feed).compactMap {
                try JSON(parsing: $0)["MESSAGE"]?.text.flatMap { Int($0) }
            }
        }

        @Test("a daemon that is killed at random moments under load stores each record once, in order")
        func kills() throws {
            let site = try site()
            try site.start()
            let agent = agent(site)
            #expect(eventually { access(site.path + "/log", F_OK) == 0 })
            let client = try LoggingClient(site.path + "/log")
            let seed = Program.variable("GUESTLOG_SEED").flatMap { UInt64($0) } ?? UInt64.random(in: 0...UInt64.max)
            var random = SeededGenerator(seed: seed)
            let kills = Program.variable("GUESTLOG_KILLS").flatMap { Int($0) } ?? 6
            for _ in 0..<kills {
                for _ in 0..<10 {
                    client.log(50)
                    usleep(UInt32.random(in: 0..<20_000, using: &random))
                }
                site.stop(SIGKILL)
                client.log(200)
                try site.start()
            }
            client.log(1)
            let total = kills * 700 + 1
            #expect(try eventually { try numbers(site).count >= total }, "seed \(seed)")
            #expect(try numbers(site) == Array(0..<total), "seed \(seed)")
            agent.stop()
        }

        @Test("while the daemon is away the agent keeps what its spool holds, and the loss is counted exactly")
        func overflow() throws {
            let site = try site()
            let agent = agent(site, "--spool", "64K")
            #expect(eventually { access(site.path + "/log", F_OK) == 0 })
            let client = try LoggingClient(site.path + "/log")
            client.log(5000)
            try site.start()
            #expect(try eventually { try numbers(site).last == 4999 })
            let kept = try numbers(site)
            #expect(kept == Array((5000 - kept.count)..<5000) && kept.count < 1000)
            let stored = try StoredText(of: StreamID(vm: "web", stream: #require(StreamName("guest"))), in: site.store)
            #expect(stored.gaps.reduce(0) { $0 + Int($1.lines) } == 5000 - kept.count)
            agent.stop()
        }

        /// Carries bytes between the agent and the collector; of its first connection only so many arrive, though it stays
        /// open.
        private func proxy(_ site: Site, limit: Int) -> ChildProcess {
            let script = """
                import asyncio
                first = True
                async def carry(reader, writer, limit):
                    while data := await reader.read(65536):
                        writer.write(data[:limit])
                        limit -= min(limit, len(data))
                        await writer.drain()
                    writer.close()
                async def serve(reader, writer):
                    global first
                    limit, first = (\(limit) if first else 1 << 60), False
                    below, above = await asyncio.open_unix_connection("\(site.path)/web.sock")
                    await asyncio.gather(carry(reader, above, limit), carry(below, writer, limit))
                async def main():
                    server = await asyncio.start_unix_server(serve, "\(site.path)/proxy.sock")
                    await server.serve_forever()
                asyncio.run(main())
                """
            return ChildProcess(["python3", "-c", script], name: "proxy", in: site.path)
        }

        @Test(
            "a connection that swallows everything from some byte on is given up within 20 s, and nothing is lost",
            .enabled(if: Program.variable("GUESTLOG_SWALLOW") != nil, "takes 16 s: set GUESTLOG_SWALLOW")
        )
        func swallowed() throws {
            let site = try site()
            try site.start()
            let proxy = proxy(site, limit: Int(Program.variable("GUESTLOG_SWALLOW") ?? "") ?? 20_000)
            #expect(eventually { access(site.path + "/proxy.sock", F_OK) == 0 })
            let agent = agent(site, "--to", "unix:\(site.path)/proxy.sock")
            #expect(eventually { access(site.path + "/log", F_OK) == 0 })
            let client = try LoggingClient(site.path + "/log")
            client.log(3000)
            #expect(try eventually { try numbers(site).count >= 3000 })
            #expect(try numbers(site) == Array(0..<3000))
            agent.stop()
            proxy.stop()
        }

        @Test("an agent that is stopped sends what it has, at once")
        func stop() throws {
            let site = try site()
            try site.start()
            let agent = agent(site)
            #expect(eventually { access(site.path + "/log", F_OK) == 0 })
            let client = try LoggingClient(site.path + "/log")
            client.log(300)
            agent.signal(SIGTERM)
            #expect(agent.wait() == 0, "\(agent.standardError)")
            #expect(try numbers(site) == Array(0..<300))
            #expect(agent.standardError.contains("syslog daemon on \(site.path)/log; no kernel log"))
        }
    }
}
