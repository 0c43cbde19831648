// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
import RotatingFile
import SystemIO
import TestSupport
import Testing

extension EndToEnd {
    /// `virt-tail`, as a KubeVirt pod runs it.
    @Suite(.serialized) struct VirtTailTests {
        // MARK: - Nothing lost

        @Test(
            "each of 65,536 lines is written once, whether rotation falls on the ends of lines or not",
            arguments: [128, 200]
        )
        func everyLine(width: Int) {
            let console = FollowedConsole().start()
            #expect(eventually { console.tail.standardError.contains("waiting for") })
            var text: [UInt8] = []
            for number in 0..<65_536 {
                let digits = String(number)
                text += Array((String(repeating: "0", count: 6 - digits.utf8.count) + digits + " ").utf8)
                text += [UInt8](repeating: UInt8(ascii: "."), count: width - 8) + [UInt8(ascii: "\n")]
            }
            let size = 2 << 20
            for start in stride(from: 0, to: text.count, by: size) {
                for part in stride(from: start, to: min(start + size, text.count), by: 8192) {
                    console.write(Array(text[part..<min(part + 8192, start + size, text.count)]))
                }
                // A rotation removes the third file: it must have been read, however slow the machine is.
                #expect(eventually { console.tail.outputSize >= start })
                console.rotate()
            }
            #expect(eventually { console.tail.outputSize >= text.count })
            #expect(console.stop().status == 0)
            let isWhole = console.tail.output == text
            #expect(isWhole, "\(console.tail.outputSize) bytes of \(text.count)")
        }

        @Test("bytes are not changed, and a line may be of any length")
        func anyBytes() {
            let console = FollowedConsole().start()
            var text = (0...255).map { UInt8($0) } + Array("\r\n\u{1b}[2J\u{1b}[H\n10%\r20%\r\n\n\n".utf8)
            text += [UInt8](repeating: UInt8(ascii: "L"), count: 1 << 20) + Array("\nlogin: ".utf8)
            console.write(text)
            #expect(eventually { console.tail.output == text })
            #expect(console.stop().status == 0)
        }

        @Test("an unfinished line is shown; its rest completes it, also after a rotation")
        func unfinished() {
            let console = FollowedConsole().start(["--timestamps"])
            console.write("full\nlogin: ")
            #expect(eventually { console.tail.text.hasSuffix("Z login: ") })
            console.rotate()
            console.write("root\n")
            #expect(eventually { console.tail.text.hasSuffix("Z login: root\n") })
            #expect(console.tail.text.split(separator: "\n").count == 2)
            #expect(console.stop().status == 0)
        }

        @Test("64 MiB without a line's end need no more memory than a line", arguments: [[], ["--format", "json"]])
        func memory(options: [String]) {
            let console = FollowedConsole()
            console.write("begin\n")
            console.start(options)
            #expect(eventually { console.tail.output.count > 5 })
            let before = console.memory
            let block = [UInt8](repeating: UInt8(ascii: "N"), count: 1 << 20)
            for _ in 0..<64 {
                console.write(block)
            }
            console.write("\nEND\n")
            #expect(eventually { console.tail.outputSize > 64 << 20 })
            #expect(eventually { console.tail.output.suffix(64).contains(UInt8(ascii: "D")) })
            #expect(before > 0 && console.memory - before < 4096)
            #expect(!options.isEmpty || console.tail.output.count == 64 << 20 + 11)
            #expect(console.stop().status == 0)
        }

        @Test("an in-place truncation is followed")
        func truncated() {
            let console = FollowedConsole().start()
            console.write("a 1\na 2\n")
            #expect(console.shows("a 1\na 2\n"))
            truncate(console.log, 0)
            #expect(eventually { console.tail.standardError.contains("truncated") })
            console.write("b 1\n")
            #expect(console.shows("a 1\na 2\nb 1\n"))
            #expect(console.stop().status == 0)
        }

        // MARK: - Waiting

        @Test(
            "the folder and the file may come late; what is awaited is said once",
            arguments: [[], ["--socket-timeout", "1", "--stop-on", "signal,socket"]]
        )
        func late(options: [String]) {
            let console = FollowedConsole()
            let path = console.folder.path + "/sub/deep/virt-serial0-log"
            console.start(options, log: path)
            #expect(
                eventually { console.tail.standardError.contains("\(console.folder.path)/sub/deep does not exist") }
            )
            mkdir(console.folder.path + "/sub", 0o755)
            mkdir(console.folder.path + "/sub/deep", 0o755)
            if !options.isEmpty {
                #expect(eventually { console.tail.standardError.contains("has not appeared") })
            }
            console.write(Array("BOOT\n".utf8), to: path)
            #expect(console.shows("BOOT\n"))
            #expect(!console.tail.hasEnded)
            #expect(console.tail.standardError.split(separator: "\n").count <= 2)
            #expect(console.stop().status == 0)
            unlink(path)
            rmdir(console.folder.path + "/sub/deep")
            rmdir(console.folder.path + "/sub")
        }

        private static let canLimitInotify =
            geteuid() == 0 && access("/proc/sys/user/max_inotify_instances", R_OK) == 0

        @Test(
            "where the kernel refuses inotify, lines still appear, and the message names the setting",
            .enabled(if: canLimitInotify, "needs root and user namespaces"),
            arguments: ["instances", "watches"]
        )
        func refused(kind: String) {
            let console = FollowedConsole()
            let limit = "echo 0 >/proc/sys/user/max_inotify_\(kind); exec \"$@\""
            console.start(wrapper: ["unshare", "--user", "--map-root-user", "sh", "-c", limit, "sh"])
            console.write("one\n")
            #expect(console.shows("one\n"))
            console.rotate()
            console.write("two\n")
            #expect(console.shows("one\ntwo\n"))
            let said = console.tail.standardError.split(separator: "\n").filter { $0.contains("fs.inotify") }
            #expect(said.count == 1, "\(console.tail.standardError)")
            #expect(console.stop().status == 0)
        }

        @Test("a bad option, folder or state never ends it")
        func staysUp() {
            let console = FollowedConsole()
            FileText.write("no folder", to: console.folder.path + "/file")
            console.start(["--no-such", "--format=xml", "--state-dir", console.folder.path + "/file"])
            console.write("text\n")
            #expect(console.shows("text\n"))
            #expect(
                eventually {
                    let said = console.tail.standardError
                    return said.contains("--no-such") && said.contains("xml") && said.contains("position")
                }
            )
            #expect(console.stop().status == 0)
        }

        @Test(
            "a log that the user must not read is reported, and read once it may be",
            .enabled(if: geteuid() == 0, "needs root")
        )
        func unreadable() {
            let console = FollowedConsole()
            chmod(console.folder.path, 0o755)
            console.write("secret\n")
            chmod(console.log, 0o600)
            console.start(wrapper: ["setpriv", "--reuid", "107", "--clear-groups"])
            #expect(eventually { console.tail.standardError.contains("Permission denied") })
            chmod(console.log, 0o644)
            #expect(console.shows("secret\n"))
            #expect(console.stop().status == 0)
        }

        // MARK: - The end

        @Test("SIGTERM and SIGINT end it with 0 within a second, whatever it waits for", arguments: [SIGTERM, SIGINT])
        func signals(number: Int32) {
            let console = FollowedConsole()
            console.start(log: console.folder.path + "/no/folder/log")
            #expect(eventually { console.tail.standardError.contains("waiting") })
            #expect(console.stop(number).status == 0)
            console.start()
            #expect(eventually { console.tail.standardError.contains("waiting") })
            #expect(console.stop(number).status == 0)
            console.write("all\nlast words")
            console.start(["--format", "cri"])
            #expect(eventually { !console.tail.output.isEmpty })
            #expect(console.stop(number).status == 0)
            #expect(console.tail.text.hasSuffix("stdout P last words\n"))
        }

        @Test("it ends within a second while it copies a gigabyte, and says that there is more")
        func draining() {
            let console = FollowedConsole()
            truncate(console.log, 0)
            console.write("x")
            #expect(truncate(console.log, 1 << 40) == 0)
            // To a pipe, so that no disk is filled.
            console.start(wrapper: ["sh", "-c", "mkfifo p; cat p >/dev/null & exec \"$@\" >p", "sh"])
            #expect(eventually { FileText.procText("/proc/\(console.tail.process)/io").contains(#/wchar: \d{8}/#) })
            let end = console.stop()
            #expect(end.status == 0)
            #expect(console.tail.standardError.contains("ended before everything"))
        }

        @Test("with a reader that does not read, it ends after its grace, and a log that is rotated meanwhile is kept")
        func blocked() {
            let console = FollowedConsole()
            let pipe = console.folder.path + "/pipe"
            mkfifo(pipe, 0o644)
            let reader = open(pipe, O_RDWR | O_NONBLOCK | O_CLOEXEC)
            defer { close(reader) }
            let text = NumberedLines.text(20_000)
            console.write(text)
            let toPipe = ["sh", "-c", "exec \"$@\" >pipe", "sh"]
            console.start(["--state-dir", console.state], wrapper: toPipe)
            #expect(eventually { gl_bytes_waiting(reader) >= 32_768 })
            for number in 0..<6 {
                console.rotate()
                console.write("file \(number)\n")
            }
            let end = console.stop()
            #expect(end.status == 0)
            #expect(console.tail.standardError.contains("not accepted by the reader"))
            // The next one begins where the reader had been.
            var buffer = [UInt8](repeating: 0, count: 1 << 20)
            while read(reader, &buffer, buffer.count) > 0 {}
        }

        @Test("a reader that goes away ends it at once, also while nothing is written")
        func closedReader() {
            let console = FollowedConsole()
            console.write("one\ntwo\n")
            let script = "set -o pipefail; \"$@\" | head -n 1"
            console.start(wrapper: ["bash", "-c", script, "bash"])
            #expect(console.tail.wait() == 0)
            #expect(console.tail.text == "one\n")
            #expect(console.tail.standardError.isEmpty)
        }

        @Test(
            "the console's socket, once it was there, ends it with its disappearance, after the last words",
            arguments: [["--stop-on", "socket"], ["--socket-timeout", "240s"]]
        )
        func socket(options: [String]) throws {
            let console = FollowedConsole()
            console.start(options)
            let listener = try ListeningSocket(path: console.socket)
            console.write("text\n")
            #expect(console.shows("text\n"))
            if options[0] == "--stop-on" {
                console.tail.signal(SIGTERM)
            }
            unlink(console.socket)
            console.write("last\n")
            #expect(console.tail.wait() == 0)
            #expect(console.tail.text == "text\nlast\n")
            _ = consume listener
        }

        @Test("the termination file ends it", arguments: ["-sigTerm-done", "-sigTerm"])
        func terminationFile(suffix: String) {
            let console = FollowedConsole()
            if suffix == "-sigTerm" {
                FileText.write("", to: console.log + suffix)
            }
            console.write("text\n")
            console.start()
            #expect(console.shows("text\n"))
            if suffix == "-sigTerm" {
                unlink(console.log + suffix)
            } else {
                FileText.write("", to: console.log + suffix)
            }
            #expect(console.tail.wait() == 0)
        }

        // MARK: - Restarts

        @Test("with a state folder, a restart repeats nothing and misses nothing, though the log was rotated")
        func restart() {
            let console = FollowedConsole()
            console.write("old\n")
            console.rotate()
            console.write("one\ntw")
            var shown = ""
            for text in ["o\nthree\n", "four\nfive", "\nsix\n"] {
                console.start(["--state-dir", console.state])
                #expect(eventually { console.tail.text.hasSuffix(text.isEmpty ? "" : shown.isEmpty ? "tw" : "") })
                _ = console.stop()
                shown += console.tail.text
                console.rotate()
                console.write(text)
            }
            console.start(["--state-dir", console.state])
            #expect(eventually { shown + console.tail.text == "old\none\ntwo\nthree\nfour\nfive\nsix\n" })
            #expect(console.stop().status == 0)
        }

        @Test("without a state folder, a restart begins with the oldest file; --from live and end begin later")
        func starts() {
            let console = FollowedConsole()
            console.write("old\n")
            console.rotate()
            console.write("live\n")
            console.start()
            #expect(console.shows("old\nlive\n"))
            #expect(console.stop().status == 0)
            console.start(["--from", "live"])
            #expect(console.shows("live\n"))
            #expect(console.stop().status == 0)
        }

        // MARK: - A real guest

        @Test(
            "each line of a guest under libvirt is written once, with either log daemon",
            .enabled(if: LibvirtHost.isPossible, "needs root, libvirtd, virtlogd and virsh"),
            arguments: LibvirtHost.LogDaemon.allCases
        )
        func guest(daemon: LibvirtHost.LogDaemon) throws {
            let lines = 4000
            let host = try LibvirtHost(daemon)
            let log = host.path + "/logs/web.log"
            let socket = host.path + "/web.sock"
            let command = [
                Program.built("virt-tail"), "--logfile", log, "--stop-on", "signal,socket", "--console-socket", socket,
            ]
            let tail = ChildProcess(command, name: "tail", in: host.path)
            #expect(host.create("web", host.domain("web", lines: lines)).status == 0)
            #expect(host.hasEnded("web"))
            #expect(tail.wait() == 0)
            let numbers = tail.output.split(separator: UInt8(ascii: "\n")).compactMap { line in
                line.firstRange(of: Array("guestlog-line ".utf8)).flatMap { start in
                    Int(String(decoding: line[start.upperBound...].prefix { $0 != 32 }, as: UTF8.self))
                }
            }
            #expect(numbers == Array(1...lines))
            #expect(tail.output.suffix(10_000) == host.text("web").suffix(10_000))
            #expect(tail.standardError.split(separator: "\n").count <= 1)
        }
    }
}
