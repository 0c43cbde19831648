// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO
import TestSupport
import Testing

extension EndToEnd {
    /// `virt-tail` in a folder where files come and go.
    @Suite(.serialized) struct VirtTailFolderTests {
        @Test("it ends with 0 while the log is rotated under it, again and again")
        func signalDuringRotation() {
            let console = FollowedConsole()
            console.write("begin\n")
            let rotation = ChildProcess(
                [
                    "sh", "-c",
                    "while :; do mv \"$0.1\" \"$0.2\"; mv \"$0.0\" \"$0.1\"; mv \"$0\" \"$0.0\"; echo line >\"$0\"; done 2>/dev/null",
                    console.log,
                ],
                name: "rotation",
                in: console.folder.path
            )
            console.start()
            #expect(eventually { console.tail.text.split(separator: "\n").count > 10 })
            let end = console.stop()
            rotation.stop(SIGKILL)
            #expect(end.status == 0, "\(end)")
        }

        @Test("a folder that is deleted and made again is read on, though the earlier log is held open")
        func madeAgain() {
            let console = FollowedConsole()
            let path = console.folder.path + "/sub/virt-serial0-log"
            mkdir(console.folder.path + "/sub", 0o755)
            console.write(Array("one\n".utf8), to: path)
            console.start(log: path)
            #expect(console.shows("one\n"))
            unlink(path)
            rmdir(console.folder.path + "/sub")
            mkdir(console.folder.path + "/sub", 0o755)
            console.write(Array("two\n".utf8), to: path)
            #expect(console.shows("one\ntwo\n"))
            console.write(Array("three\n".utf8), to: path)
            #expect(console.shows("one\ntwo\nthree\n"))
            #expect(console.stop().status == 0)
        }

        @Test(
            "compressed files are no text; one that was read before costs nothing, one that was not is reported as missing"
        )
        func compressed() {
            let console = FollowedConsole()
            func compress(_ name: String) {
                rename(console.log, console.log + name)
                #expect(ChildProcess(["gzip", console.log + name], name: "gzip", in: console.folder.path).wait() == 0)
            }
            console.write("long ago\n")
            compress("-20260101")
            console.write("one\n")
            console.start(["--state-dir", console.state])
            #expect(console.shows("one\n"))
            compress(".1")
            console.write("two\n")
            #expect(console.shows("one\ntwo\n"))
            #expect(console.stop().status == 0 && !console.tail.standardError.contains("missing"))
            #expect(console.tail.standardError.contains("which are not read: virt-serial0-log-20260101.gz"))
            console.write("unread\n")
            compress(".2")
            console.write("three\n")
            console.start(["--state-dir", console.state])
            #expect(console.shows("three\n"))
            #expect(eventually { console.tail.standardError.contains("missing") }, "\(console.tail.standardError)")
            #expect(console.stop().status == 0)
        }

        @Test("with --rotate-wait, a renamed file is read on although the new one has a line, up to the end")
        func lateLines() {
            let console = FollowedConsole()
            console.write("one\n")
            console.start(["--rotate-wait", "1h"])
            #expect(console.shows("one\n"))
            let old = open(console.log, O_WRONLY | O_APPEND | O_CLOEXEC)
            defer { close(old) }
            console.rotate()
            console.write("three\n")
            #expect(write(old, "two\n", 4) == 4)
            #expect(console.shows("one\ntwo\n"))
            #expect(console.stop().status == 0)
            #expect(console.tail.text == "one\ntwo\nthree\n")
        }

        /// Other logs in the folder. `GUESTLOG_FINISHED_FILES=60000` is a folder like that of libvirt's own logs.
        private static let otherFiles = Program.variable("GUESTLOG_FINISHED_FILES").flatMap { Int($0) } ?? 3000

        @Test("other files in the folder, however many, cost no wake and no call while a log is followed")
        func manyFiles() {
            let console = FollowedConsole()
            for number in 0..<Self.otherFiles {
                close(open(console.folder.path + "/vm\(number).log", O_WRONLY | O_CREAT | O_CLOEXEC, 0o644))
            }
            console.write("0\n")
            console.start()
            #expect(console.shows("0\n"))
            func costs() -> (wakes: Int, reads: Int) {
                let folder = "/proc/\(console.tail.process)"
                return (
                    ThreadCosts.number(after: "voluntary_ctxt_switches:", in: folder + "/status"),
                    ThreadCosts.number(after: "syscr:", in: folder + "/io")
                )
            }
            let before = costs()
            var expected = "0\n"
            for number in 1...20 {
                console.write("\(number)\n")
                expected += "\(number)\n"
                #expect(console.shows(expected))
            }
            let after = costs()
            #expect(after.wakes - before.wakes <= 100 && after.reads - before.reads <= 200, "\(before) \(after)")
            // A rotation reads the folder, and no file in it but the log's own.
            console.rotate()
            console.write("last\n")
            #expect(console.shows(expected + "last\n"))
            #expect(costs().reads - after.reads <= 50)
            #expect(console.stop().status == 0)
        }

        @Test("a file on a full disk is tried again after a pause, not in a loop")
        func fullDisk() {
            let console = FollowedConsole().start(wrapper: ["sh", "-c", #"exec "$@" >/dev/full"#, "sh"])
            console.write("one\n")
            #expect(eventually { console.tail.standardError.contains("trying again every second") })
            let folder = "/proc/\(console.tail.process)"
            func writes() -> Int { ThreadCosts.number(after: "syscw:", in: folder + "/io") }
            func sleeps() -> Int { ThreadCosts.number(after: "voluntary_ctxt_switches:", in: folder + "/status") }
            let (firstWrites, firstSleeps) = (writes(), sleeps())
            #expect(eventually { writes() >= firstWrites + 2 })
            let tried = writes() - firstWrites
            let slept = sleeps() - firstSleeps
            #expect(tried <= 2 * slept + 2, "it has written \(tried) times, and slept \(slept) times")
            #expect(console.stop().status == 0)
        }
    }
}
