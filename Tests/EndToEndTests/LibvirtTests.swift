// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO
import TestSupport
import Testing

extension EndToEnd {
    /// libvirtd and QEMU from Debian's packages, unmodified, with Guestlog in place of virtlogd.
    @Suite(
        .serialized,
        .enabled(
            if: LibvirtHost.isPossible,
            "needs root, libvirtd, virtlogd and virsh (packages libvirt-daemon, libvirt-daemon-driver-qemu and -clients)"
        )
    )
    struct LibvirtTests {
        private static let lines = 8000
        /// More lines than a test reads of a guest.
        private static let endless = 9_999_999

        /// Waits until `bytes` has lines with these numbers, and no other; the daemon may read the rest of a log after
        /// its domain has ended.
        private func hasLines(_ wanted: ClosedRange<Int>, _ bytes: () -> [UInt8]) -> Bool {
            eventually { numbers(bytes()) == Array(wanted) }
        }

        /// The numbers of the guest's whole lines in `bytes`, in order.
        private func numbers(_ bytes: some BidirectionalCollection<UInt8>) -> [Int] {
            let end = bytes.lastIndex(of: UInt8(ascii: "\n")) ?? bytes.startIndex
            return bytes[..<end].split(separator: UInt8(ascii: "\n")).compactMap { line in
                guard let start = line.firstRange(of: Array("guestlog-line ".utf8)) else {
                    return nil
                }
                return Int(String(decoding: line[start.upperBound...].prefix { $0 != 32 }, as: UTF8.self))
            }
        }

        /// The last line of "web" that is complete. Rotation limits the size of the log, not this.
        private func lastNumber(_ host: LibvirtHost) -> Int? {
            numbers(host.text("web").suffix(4096)).last
        }

        private func mode(_ path: String) -> UInt32 {
            var status = stat()
            return stat(path, &status) == 0 ? status.st_mode & 0o7777 : 0
        }

        @Test("a domain's life leaves the same files as with virtlogd, rotated at line ends, and its log in the store")
        func sameFiles() throws {
            var seen: [LibvirtHost.LogDaemon: (names: [String], modes: [UInt32], lines: [Int], own: [String])] = [:]
            for daemon in LibvirtHost.LogDaemon.allCases {
                let host = try LibvirtHost(daemon)
                let created = host.create("web", host.domain("web", lines: Self.lines))
                #expect(created.status == 0, "\(created.standardError)")
                #expect(host.hasEnded("web"))
                let own = host.ownLogs + "/web.log"
                #expect(eventually { FileText.text(own).contains("shutting down, reason=shutdown") })
                #expect(hasLines(1...Self.lines) { host.text("web") })
                let files = host.files(host.path + "/logs/web.log")
                let names = files.map { String($0.name.dropFirst(host.path.utf8.count)) }
                // Parts that differ from run to run: times, process ids, this test's own folder.
                let printed = FileText.text(own).split(separator: "\n").filter { $0.contains(": starting up libvirt") }
                seen[daemon] = (
                    names, files.map { mode($0.name) }, numbers(host.text("web")),
                    printed.map { String($0.dropFirst(28)) }
                )
                if daemon == .guestlog {
                    #expect(files.dropFirst().allSatisfy { $0.bytes.last == UInt8(ascii: "\n") })
                    #expect(files.allSatisfy { $0.bytes.count <= 262_144 })
                    try lookIntoStore(host)
                }
            }
            let (ours, theirs) = (try #require(seen[.guestlog]), try #require(seen[.virtlogd]))
            #expect(ours.names == theirs.names)
            #expect(ours.modes == theirs.modes)
            #expect(ours.lines == theirs.lines)
            #expect(ours.own == theirs.own)
            #expect(ours.lines == Array(1...Self.lines))
        }

        private func lookIntoStore(_ host: LibvirtHost) throws {
            let hasAll = hasLines(1...Self.lines) {
                let text = host.guestlog("logs", "web", "-s", "console0", "-o", "text", "--color", "never").text
                return Array(text.utf8)
            }
            #expect(hasAll)
            #expect(eventually { host.guestlog("logs", "web", "-s", "qemu").text.contains("starting up libvirt") })
            #expect(eventually { host.guestlog("boots", "web").text.contains("power-down") })
            let vms = host.guestlog("vms", "-o", "json").text
            let uuid = vms.firstMatch(of: #/"uuid":"([-0-9a-f]{36})"/#)
            #expect(uuid != nil, "\(vms)")
        }

        @Test("for a domain that cannot start, libvirt shows QEMU's own message, which it reads from the log")
        func failedStart() throws {
            let host = try LibvirtHost()
            let bogus = "<qemu:commandline><qemu:arg value='-no-such-option'/></qemu:commandline>"
            let answer = host.create("bad", host.domain("bad", lines: 1, extra: bogus))
            #expect(answer.status != 0)
            #expect(answer.standardError.contains("-no-such-option: invalid option"), "\(answer.standardError)")
        }

        @Test("a log that is not to be appended to is truncated, and the store keeps its contents")
        func truncates() throws {
            let host = try LibvirtHost()
            for lines in [300, 20] {
                host.create("web", host.domain("web", lines: lines, append: false))
                #expect(host.hasEnded("web"))
                #expect(hasLines(1...lines) { host.text("web") })
            }
            let stored = host.guestlog("logs", "web", "-s", "console0", "-o", "text", "--color", "never")
            // The domain has no UUID in its XML: libvirt gives each a new one, and each is a VM.
            let earlier = host.guestlog("logs", "web", "--previous-instance", "-s", "console0", "--color", "never")
            #expect(numbers(Array((earlier.text + stored.text).utf8)).contains(300), "\(earlier.standardError)")
        }

        @Test(
            "when a domain is destroyed and its logs are removed, no file of libvirt's is left; the store has the log"
        )
        func removesLogs() throws {
            let host = try LibvirtHost()
            host.create("web", host.domain("web", lines: Self.endless))
            #expect(eventually { !numbers(host.text("web")).isEmpty })
            #expect(host.virsh("destroy", "web", "--remove-logs").status == 0)
            #expect(FileText.names(in: host.ownLogs).filter { $0.hasPrefix("web") } == [])
            #expect(host.guestlog("logs", "web", "-s", "qemu").text.contains("starting up libvirt"))
        }

        @Test("a channel that is hot-plugged has its log, as the VM's next console")
        func hotPlug() throws {
            let host = try LibvirtHost()
            let controller = "<controller type='virtio-serial' index='0'/>"
            let channel = """
                <channel type='unix'><source mode='bind' path='\(host.path)/late.sock'/>
                  <log file='\(host.path)/logs/late.log' append='on'/><target type='virtio' name='org.guestlog.late'/></channel>
                """
            host.create("web", host.domain("web", lines: 1, devices: controller), paused: true)
            FileText.write(channel, to: host.path + "/channel.xml")
            let plugged = host.virsh("attach-device", "web", host.path + "/channel.xml", "--live")
            #expect(plugged.status == 0, "\(plugged.standardError)")
            #expect(access(host.path + "/logs/late.log", F_OK) == 0)
            #expect(host.virsh("detach-device", "web", host.path + "/channel.xml", "--live").status == 0)
            #expect(host.virsh("destroy", "web").status == 0)
            #expect(eventually { host.guestlog("logs", "web", "-s", "console1").status == 0 })
        }

        @Test("a log is added to and removed from a defined domain; nothing else in it changes")
        func editsDomains() throws {
            let host = try LibvirtHost()
            let bare = host.domain("web", lines: Self.endless).replacing(#/<log [^>]*>/#, with: "")
            FileText.write(bare, to: host.path + "/web.xml")
            #expect(host.virsh("define", host.path + "/web.xml").status == 0)
            let before = host.virsh("dumpxml", "web").text
            func edit(_ words: String...) -> String {
                host.run([Program.guestlog, "libvirt", "xml", "--domain", "web"] + words).text
            }
            let log = host.path + "/logs/web.log"
            #expect(edit("--file", log) == "web: a log was added\n")
            #expect(edit("--file", log) == "web: the log exists already\n")
            #expect(host.virsh("dumpxml", "web").text.contains("<log file='\(log)' append='on'/>"))
            #expect(host.virsh("start", "web").status == 0)
            #expect(eventually { !host.text("web").isEmpty })
            #expect(host.virsh("destroy", "web").status == 0)
            #expect(edit("--remove") == "web: the log was removed\n")
            #expect(edit("--remove") == "web: there is no log\n")
            #expect(host.virsh("dumpxml", "web").text == before)
        }

        @Test("twenty domains are started at once, and every one has its logs")
        func manyAtOnce() throws {
            let host = try LibvirtHost()
            let names = (1...20).map { "vm\($0)" }
            for name in names {
                FileText.write(host.domain(name, lines: 1), to: host.path + "/\(name).xml")
            }
            let all = names.map {
                "virsh -q -c qemu:///system create --paused \(host.path)/\($0).xml & pids=\"$pids $!\"; "
            }
            let script = "pids=; " + all.joined() + "for pid in $pids; do wait $pid || exit 1; done"
            let answer = host.run(["sh", "-c", script])
            #expect(answer.status == 0, "\(answer.standardError)")
            for name in names {
                #expect(eventually { FileText.text(host.ownLogs + "/\(name).log").contains("starting up libvirt") })
                #expect(host.virsh("destroy", name).status == 0)
                #expect(eventually { host.guestlog("logs", name, "-s", "qemu").text.contains("reason=destroyed") })
            }
        }

        @Test(
            "taken over from a running virtlogd and returned, ten times: no line of the guest is missing or duplicated"
        )
        func takesOver() throws {
            let host = try LibvirtHost(.virtlogd, backups: 32)
            let process = host.logProcess
            func pipes() -> Int {
                let folder = "/proc/\(process)/fd/"
                return ProcFile.names(in: folder).count {
                    ProcFile.target(ofLink: folder + $0)?.hasPrefix("pipe:") ?? false
                }
            }
            let idle = pipes()
            host.create("web", host.domain("web", lines: Self.endless))
            #expect(eventually { !numbers(host.text("web")).isEmpty })
            for turn in 0..<10 {
                let words = turn % 2 == 0 ? ["adopt"] : ["release"]
                let answer = host.run([Program.guestlog, "libvirt"] + words)
                #expect(answer.status == 0, "\(answer.standardError) \(host.logDaemon?.standardError ?? "")")
                host.awaitLogDaemon()
                #expect(host.logProcess == process)
                let before = try #require(lastNumber(host))
                #expect(eventually { lastNumber(host) ?? 0 > before + 125 })
            }
            #expect(host.virsh("destroy", "web").status == 0)
            // What was in the pipe is in the files, which are not rotated any more.
            #expect(eventually { pipes() <= idle })
            // Beside other load Guestlog may not get the processor for so long that it counts as blocked by its disk.
            let entries = host.guestlog("logs", "web", "-s", "console0", "-o", "json").text
            try expectAccounted(wholeNumbers(host.text("web")), entries, of: host)
        }

        @Test(
            "returned to virtlogd beside a slow disk: no line is duplicated or out of place, and a missing one is counted",
            .enabled(if: FuseMount.isPossible, Comment(rawValue: FuseMount.requirement))
        )
        func returnedBesideSlowDisk() throws {
            let mount = FuseMount()
            let host = try LibvirtHost(.virtlogd, backups: 32, store: mount.folder.path + "/store")
            host.create("web", host.domain("web", lines: Self.endless))
            #expect(eventually { !numbers(host.text("web")).isEmpty })
            for _ in 0..<3 {
                for word in ["adopt", "release"] {
                    let answer = host.run([Program.guestlog, "libvirt", word])
                    #expect(answer.status == 0, "\(answer.standardError) \(host.logDaemon?.standardError ?? "")")
                    host.awaitLogDaemon()
                    let before = lastNumber(host) ?? 0
                    #expect(eventually { lastNumber(host) ?? 0 > before + 125 })
                    mount.beginThrottle()
                }
                mount.resume()
            }
            #expect(host.virsh("destroy", "web").status == 0)
            let store = mount.folder.path + "/store"
            let entries = host.run([Program.guestlog, "logs", "web", "-o", "json", "--store", store]).text
            try expectAccounted(wholeNumbers(host.text("web")), entries, atLeast: 500, of: host)
        }

        @Test(
            "after five kills under a guest that prints, the daemon has its logs again: every missing line is counted"
        )
        func killed() throws {
            let host = try LibvirtHost(backups: 32, isKept: true)
            host.create("web", host.domain("web", lines: Self.endless))
            let kills = 5
            for _ in 0..<kills {
                let before = lastNumber(host) ?? 0
                #expect(eventually { lastNumber(host) ?? 0 > before + 250 })
                let process = host.logProcess
                try #require(process > 1)
                #expect(kill(process, SIGKILL) == 0)
                #expect(eventually { host.logProcess != process })
                host.awaitLogDaemon()
            }
            #expect(host.virsh("destroy", "web").status == 0)
            func stored() -> [Int] {
                // Unchanged: its last line may have no end.
                numbers(Array(host.guestlog("logs", "web", "-s", "console0", "-o", "raw").text.utf8))
            }
            #expect(eventually { stored().last == numbers(host.text("web")).last })
            let entries = host.guestlog("logs", "web", "-s", "console0", "-o", "json").text
            let raw = host.guestlog("logs", "web", "-s", "console0", "-o", "raw").text
            try expectAccounted(wholeNumbers(Array(raw.utf8)), entries, of: host)
            // A write to the file that a kill interrupts may be complete without the ring saying so: the next daemon
            // repeats it, within a line.
            try expectAccounted(wholeNumbers(host.text("web")), entries, torn: kills, of: host)
        }

        /// The numbers of the lines that are whole: a torn one may end in the middle of its number.
        private func wholeNumbers(_ bytes: [UInt8]) -> [Int] {
            // 80 bytes, CR and LF included (scripts/make-guest).
            let lines = bytes.split(separator: UInt8(ascii: "\n")).filter { $0.count == 79 }
            return numbers(Array(lines.joined(separator: [UInt8(ascii: "\n")])) + [UInt8(ascii: "\n")])
        }

        /// No number is doubled, and those that are missing are counted by the gaps among `entries`. A daemon that takes
        /// longer to come back than the pipe has space for loses lines to the keeper, and the two at each edge are torn.
        /// Besides, `torn` lines may be damaged.
        private func expectAccounted(
            _ found: [Int],
            _ entries: String,
            torn: Int = 0,
            atLeast count: Int = 1000,
            of host: LibvirtHost
        ) throws {
            #expect(zip(found, found.dropFirst()).allSatisfy { $0 < $1 })
            #expect(found.count > count)
            let gaps = entries.split(separator: "\n").filter { $0.contains(#""event":"gap""#) }
            let losses = gaps.compactMap {
                $0.firstMatch(of: #/"bytes":[0-9]+,"lines":([0-9]+)/#).flatMap { Int($0.1) }
            }
            let missing = zip(found, found.dropFirst()).filter { $1 > $0 + 1 }.map { $0 + 1...$1 - 1 }
            let lost = missing.reduce(0) { $0 + $1.count }
            let isAccounted = lost <= losses.reduce(0, +) + 2 * losses.count + torn
            #expect(isAccounted, "missing \(missing): \(gaps)\n\(host.logDaemon?.standardError ?? "")")
            guard !isAccounted else {
                return
            }
            // What tells which part has lost them.
            let raw = host.guestlog("logs", "web", "-s", "console0", "-o", "raw").text
            let stored = Set(wholeNumbers(Array(raw.utf8)))
            for range in missing where range.count > 2 {
                print("missing \(range); of it in the store: \(range.count { stored.contains($0) })")
            }
            print("files:", host.files(host.path + "/logs/web.log").map { "\($0.name) \($0.bytes.count)" })
            print("rings:", host.run(["find", "/run/guestlog", "-name", "*.ring"]).text)
        }

        @Test("what a domain's agent sends is stored beside its console, by guestlog serve, and through a replacement")
        func agent() throws {
            let host = try LibvirtHost()
            let uuid = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
            let domain = host.domain("web", lines: Self.endless)
            host.create("web", domain.replacing("<name>web</name>", with: "<name>web</name><uuid>\(uuid)</uuid>"))
            #expect(eventually { !numbers(host.text("web")).isEmpty })
            FileText.write(
                """
                store: \(host.path)/store
                runtime: \(host.path)/serve
                collector:
                  guests: [{ listen: \(host.path)/agent.sock, name: web, uuid: \(uuid) }]

                """,
                to: host.path + "/serve.yaml"
            )
            let serve = host.begin([Program.guestlog, "serve", "--config", host.path + "/serve.yaml"], name: "serve")
            func send(_ message: String) {
                let entry = "__REALTIME_TIMESTAMP=1700000000000000\\nMESSAGE=\(message)\\n\\n"
                let sending = "printf '\(entry)' | socat -u STDIN UNIX-CONNECT:\(host.path)/agent.sock"
                #expect(eventually { host.run(["sh", "-c", sending]).status == 0 }, "\(serve.standardError)")
                #expect(
                    eventually { host.guestlog("logs", "web", "-s", "journal").text.contains(message) },
                    "\(host.guestlog("logs", "web", "-s", "journal").standardError) \(serve.standardError)"
                )
            }
            func lastStored() -> Int {
                numbers(Array(host.guestlog("logs", "web", "-s", "console0", "-n", "3", "-o", "raw").text.utf8)).last
                    ?? 0
            }
            send("before")
            kill(host.logProcess, SIGUSR1)
            host.awaitLogDaemon()
            send("after")
            let last = lastStored()
            #expect(eventually { lastStored() > last }, "\(host.logDaemon?.standardError ?? "")")
            #expect(host.virsh("destroy", "web").status == 0)
            serve.stop()
            // A daemon without the processor for half a second counts what it has no room for.
            let entries = host.guestlog("logs", "web", "-s", "console0", "-o", "json").text.split(separator: "\n")
            let gaps = entries.filter { $0.contains(#""event":"gap""#) }
            #expect(gaps.allSatisfy { $0.contains(#""reason":"overflow""#) }, "\(gaps)")
        }

        @Test("when its program is missing at a replacement, the log daemon continues with all its logs")
        func cannotBeReplaced() throws {
            let host = try LibvirtHost(backups: 30)
            host.create("web", host.domain("web", lines: Self.lines))
            #expect(eventually { !numbers(host.text("web")).isEmpty })
            unlink(host.program)
            kill(host.logProcess, SIGUSR1)
            #expect(eventually { host.logDaemon?.standardError.contains("the running program continues") ?? false })
            #expect(host.hasEnded("web"))
            #expect(hasLines(1...Self.lines) { host.text("web") })
        }

        @Test("while the daemon is stopped the guest runs to its end, and all its output is in the log afterwards")
        func stopped() throws {
            let host = try LibvirtHost(backups: 30)
            let daemon = host.logProcess
            try #require(daemon > 1)
            host.create("web", host.domain("web", lines: Self.lines))
            let machine = try #require(Int32(host.run(["cat", "/run/libvirt/qemu/web.pid"]).text))
            #expect(eventually { !numbers(host.text("web")).isEmpty })
            kill(daemon, SIGSTOP)
            // The output fits into the pipe; QEMU, its monitor included, would block if the pipe had the usual size.
            #expect(eventually(within: 60) { kill(machine, 0) != 0 })
            #expect(numbers(host.text("web")).count < Self.lines)
            kill(daemon, SIGCONT)
            #expect(host.hasEnded("web"))
            #expect(hasLines(1...Self.lines) { host.text("web") })
        }

        @Test("a session's libvirtd, which starts its log daemon itself, starts Guestlog")
        func session() throws {
            let user: UInt32 = 65534
            let folder = TemporaryFolder()
            for name in ["", "/bin", "/run", "/config", "/config/libvirt", "/logs"] {
                mkdir(folder.path + name, 0o700)
                chown(folder.path + name, user, user)
            }
            let settings = "security_driver = \"none\"\ncgroup_controllers = []\nnamespaces = []\n"
            FileText.write(settings, to: folder.path + "/config/libvirt/qemu.conf")
            // Where the user can read it.
            let copy = ["cp", Program.guestlog, folder.path + "/bin/virtlogd"]
            #expect(ChildProcess(copy, name: "cp", in: folder.path).wait() == 0)
            let environment = [
                "HOME": folder.path, "XDG_RUNTIME_DIR": folder.path + "/run",
                "XDG_CONFIG_HOME": folder.path + "/config",
                "VIRTLOGD_PATH": folder.path + "/bin",
            ]
            var commands = 0
            func asUser(_ words: [String]) -> ChildProcess {
                commands += 1
                let unprivileged = ["setpriv", "--reuid", "\(user)", "--regid", "\(user)", "--clear-groups", "--"]
                let name = "command-\(commands)"
                return ChildProcess(unprivileged + words, name: name, in: folder.path, environment: environment)
            }
            func virsh(_ words: String...) -> ChildProcess {
                let child = asUser(["virsh", "-q", "-c", "qemu:///session"] + words)
                child.wait()
                return child
            }
            let libvirtd = asUser(["/usr/sbin/libvirtd"])
            #expect(eventually { virsh("list").wait() == 0 }, "\(libvirtd.standardError)")
            let xml = LibvirtHost.domain("web", lines: 500, in: folder.path)
            FileText.write(xml, to: folder.path + "/web.xml")
            let created = virsh("create", folder.path + "/web.xml")
            #expect(created.wait() == 0, "\(created.standardError) \(libvirtd.standardError)")
            #expect(eventually(within: 60) { virsh("domstate", "web").wait() != 0 })
            #expect(hasLines(1...500) { FileText.bytes(folder.path + "/logs/web.log") })
            let store = folder.path + "/.local/share/guestlog"
            let logs = asUser([folder.path + "/bin/virtlogd", "--version"])
            #expect(logs.wait() == 0 && logs.text.contains("guestlog"))
            // The plain file may be written before the store is.
            var attempts = 0
            let isStored = eventually {
                attempts += 1
                let stored = ChildProcess(
                    [Program.guestlog, "logs", "web", "-s", "console0", "--color", "never", "--store", store],
                    name: "stored-\(attempts)",
                    in: folder.path
                )
                return stored.wait() == 0 && numbers(stored.output) == Array(1...500)
            }
            #expect(isStored, "\(FileText.text(folder.path + "/stored-\(attempts).err"))")
            // Clients of other users are disconnected without an answer, root too.
            let otherClient = try UnixSocket.connect(to: folder.path + "/run/libvirt/virtlogd-sock")
            try otherClient.setNonBlocking(false)
            var byte: UInt8 = 0
            #expect(read(otherClient.raw, &byte, 1) <= 0)
            libvirtd.stop()
            let process = FileText.text(folder.path + "/run/libvirt/virtlogd.pid").split(separator: "\n").first
            if let daemon = process.flatMap({ Int32($0) }) {
                kill(daemon, SIGTERM)
            }
        }
    }
}
