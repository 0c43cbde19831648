// SPDX-License-Identifier: Apache-2.0

import Glibc
import GuestlogService
import Synchronization
import SystemIO
import TestSupport
import Testing

@testable import Libvirt

extension EndToEnd {
    /// libvirt's VMs: Debian's libvirtd, unmodified, queried over its read-only socket.
    @Suite(
        .serialized,
        .enabled(
            if: LibvirtHost.isPossible,
            "needs root, libvirtd, virtlogd and virsh (packages libvirt-daemon, libvirt-daemon-driver-qemu and -clients)"
        )
    )
    struct DiscoveryTests {
        /// A watch of a host's libvirtd, and its log messages.
        private final class Watching {
            let directory = DomainDirectory()
            private let messageLog = MessageLog()
            private let watch: DomainWatch

            private final class MessageLog: Sendable {
                let words = Mutex<[DiagnosticLevel]>([])
                let changes = Mutex(0)
            }

            init(_ host: LibvirtHost) throws {
                let diagnostics = Diagnostics { [messageLog] level, _ in messageLog.words.withLock { $0.append(level) }
                }
                watch = try DomainWatch(
                    .path(host.readOnlySocket),
                    directory: directory,
                    diagnostics: diagnostics
                ) { [messageLog] _ in messageLog.changes.withLock { $0 += 1 } }
                try watch.start()
                #expect(eventually { directory.isKnown })
            }

            deinit {
                watch.stop()
            }

            var changes: Int { messageLog.changes.withLock { $0 } }
            /// The levels of the messages, from notice up.
            var words: [DiagnosticLevel] { messageLog.words.withLock { $0 } }

            func isRunning(_ name: String) -> Bool? {
                directory.domain(named: name)?.isRunning
            }
        }

        private func define(_ name: String, _ host: LibvirtHost, extra: String = "") {
            let file = host.path + "/\(name).xml"
            FileText.write(host.domain(name, lines: 1, extra: extra), to: file)
            #expect(host.virsh("define", file).status == 0)
        }

        @Test("a domain's whole life is followed: its names, its console's address, its state")
        func life() throws {
            let host = try LibvirtHost(.virtlogd)
            let watching = try Watching(host)
            #expect(watching.directory.domains.isEmpty)
            let nova = """
                <metadata><nova:instance xmlns:nova="http://openstack.org/xmlns/libvirt/nova/1.1">
                <nova:name>shop</nova:name><nova:owner><nova:project uuid="p">retail</nova:project></nova:owner>
                </nova:instance></metadata>
                """
            define("web", host, extra: nova)
            #expect(eventually { watching.isRunning("web") == false })
            #expect(host.virsh("start", "--paused", "web").status == 0)
            #expect(eventually { watching.isRunning("web") == true })

            let domain = try #require(watching.directory.domain(named: "web"))
            let uuid = host.virsh("domuuid", "web").text.split(separator: "\n").first.map(String.init)
            #expect(domain.facts.uuid == uuid)
            #expect(uuid.flatMap(watching.directory.domain(uuid:)) == domain)
            #expect(domain.facts.nova?.name == "shop")
            #expect(domain.facts.nova?.project == NovaInstance.Owner(uuid: "p", name: "retail"))
            let serial = SerialPort(
                kind: .serial,
                port: 0,
                source: .unixListener(path: host.path + "/web.sock"),
                logFile: host.path + "/logs/web.log"
            )
            #expect(domain.facts.ports == [serial])

            #expect(host.virsh("desc", "web", "--live", "--title", "The shop").status == 0)
            #expect(eventually { watching.directory.domain(named: "web")?.facts.title == "The shop" })
            #expect(host.virsh("destroy", "web").status == 0)
            #expect(eventually { watching.isRunning("web") == false })
            #expect(host.virsh("domrename", "web", "shop").status == 0)
            #expect(eventually { watching.isRunning("shop") == false && watching.isRunning("web") == nil })
            #expect(host.virsh("undefine", "shop").status == 0)
            #expect(eventually { watching.directory.domains.isEmpty })
            #expect(eventually { watching.changes >= 7 })
            #expect(watching.words.isEmpty)
        }

        @Test("libvirtd sends events for a domain's definition, start, title, end and removal")
        func events() throws {
            let host = try LibvirtHost(.virtlogd)
            let connection = try LibvirtConnection(to: host.readOnlySocket, interruption: Interruption())
            /// Whether `condition` holds after an event; it is checked after events only.
            func isReported(_ condition: () throws -> Bool) throws -> Bool {
                while try connection.nextEvent(microseconds: 30_000_000) != nil {
                    if try condition() {
                        return true
                    }
                }
                return false
            }
            define("web", host)
            #expect(try isReported { try connection.domains().map(\.isRunning) == [false] })
            #expect(host.virsh("start", "--paused", "web").status == 0)
            #expect(try isReported { try connection.domains().map(\.isRunning) == [true] })
            let domain = try #require(try connection.domains().first)
            #expect(host.virsh("desc", "web", "--live", "--title", "The shop").status == 0)
            #expect(try isReported { try DomainFacts(xml: connection.xml(of: domain)).title == "The shop" })
            #expect(host.virsh("destroy", "web").status == 0)
            #expect(try isReported { try connection.domains().map(\.isRunning) == [false] })
            #expect(host.virsh("undefine", "web").status == 0)
            #expect(try isReported { try connection.domains().isEmpty })
            do throws(LibvirtError) {
                _ = try connection.xml(of: domain)
                Issue.record("there is XML of no domain")
            } catch {
                #expect("\(error)".hasPrefix("reading the XML of the domain web: libvirt says: Domain not found"))
            }
        }

        @Test(
            "a pseudo-terminal's path is known while the domain runs; a transient domain is gone at its end, however it ends"
        )
        func transient() throws {
            let host = try LibvirtHost(.virtlogd)
            let watching = try Watching(host)
            for turn in 1...4 {
                let console = "<console type='pty'><target type='virtio'/></console>"
                let created = host.create("web", host.domain("web", lines: 1, devices: console), paused: true)
                #expect(created.status == 0, "\(created.standardError)")
                #expect(eventually { watching.isRunning("web") == true })
                var ports: [SerialPort] = []
                let hasPath = eventually {
                    ports = watching.directory.domain(named: "web")?.facts.ports ?? []
                    guard case .pseudoTerminal(let path?)? = ports.last?.source else {
                        return false
                    }
                    return path.hasPrefix("/dev/pts/")
                }
                #expect(hasPath, "\(ports)")
                #expect(ports.map(\.kind) == [.serial, .console], "turn \(turn)")
                if turn % 2 == 0 {
                    let machine = try #require(Int32(host.run(["cat", "/run/libvirt/qemu/web.pid"]).text))
                    #expect(kill(machine, SIGKILL) == 0)
                } else {
                    #expect(host.virsh("destroy", "web").status == 0)
                }
                #expect(eventually { watching.directory.domains.isEmpty })
            }
        }

        @Test("when libvirtd restarts, the known state stays, and later changes are found")
        func restart() throws {
            let host = try LibvirtHost(.virtlogd)
            let watching = try Watching(host)
            for name in ["web", "db"] {
                define(name, host)
                #expect(host.virsh("start", "--paused", name).status == 0)
                #expect(eventually { watching.isRunning(name) == true })
            }
            let machine = try #require(Int32(host.run(["cat", "/run/libvirt/qemu/db.pid"]).text))
            host.stopLibvirtd()
            #expect(eventually { watching.words == [.warning] })
            #expect(kill(machine, SIGKILL) == 0)
            #expect(watching.isRunning("web") == true)
            #expect(watching.isRunning("db") == true)
            host.startLibvirtd()
            #expect(eventually(within: 60) { watching.isRunning("db") == false })
            #expect(watching.isRunning("web") == true)
            #expect(eventually { watching.words == [.warning, .notice] })
            #expect(host.virsh("destroy", "web").status == 0)
            #expect(eventually { watching.isRunning("web") == false })
        }

        @Test(
            "a blocked libvirtd does not delay the daemon's start, replacement, or stop"
        )
        func hung() throws {
            let host = try LibvirtHost(.virtlogd)
            let command = [Program.guestlog, "serve", "--config", host.path + "/guestlog.yaml"]
            func serving(_ times: Int, _ daemon: ChildProcess) -> Bool {
                eventually { daemon.standardError.split(separator: "\n").count { $0.contains("serves") } == times }
            }
            host.signalLibvirtd(SIGSTOP)
            let daemon = host.begin(command, name: "daemon")
            #expect(serving(1, daemon), "\(daemon.standardError)")
            daemon.signal(SIGUSR2)
            #expect(serving(2, daemon), "\(daemon.standardError)")
            daemon.signal(SIGTERM)
            #expect(daemon.wait() == 0, "\(daemon.standardError)")
            host.signalLibvirtd(SIGCONT)
            #expect(host.virsh("list").status == 0)
        }

        @Test("the daemon follows libvirt at its usual socket, before and after it is replaced")
        func daemon() throws {
            let host = try LibvirtHost(.virtlogd)
            let settings = FileText.text(host.path + "/guestlog.yaml")
            FileText.write(settings + "log-level: info\n", to: host.path + "/guestlog.yaml")
            let daemon = host.begin(
                [Program.guestlog, "serve", "--config", host.path + "/guestlog.yaml"],
                name: "daemon"
            )
            let words = "following the VMs of libvirt at /run/libvirt/libvirt-sock-ro"
            for times in 1...2 {
                let isReported = eventually {
                    daemon.standardError.split(separator: "\n").count { $0.contains(words) } == times
                }
                #expect(isReported, "\(daemon.standardError)")
                daemon.signal(times == 1 ? SIGUSR2 : SIGTERM)
            }
            #expect(daemon.wait() == 0, "\(daemon.standardError)")
        }
    }
}
