// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogStore
import SystemIO
import TestSupport
import Testing

extension EndToEnd {
    /// The output and exit status of commands.
    @Suite struct CommandTests {
        /// A guest at its login prompt.
        private func boot(_ site: Site) throws -> Guest {
            let guest = Guest("web", chardev: .server(site.path + "/vms/web.sock"), in: site.path)
            #expect(try site.sees("Linux version", from: "web"))
            return guest
        }

        @Test("wait returns at a prompt without a line's end, and at once when it was printed already")
        func waitsForPrompt() throws {
            let site = try Site()
            let guest = try boot(site)
            let early = Site.Way.allCases.map { way in
                site.begin(["wait", "web", "login:", "--timeout", "60s"], by: way, name: "early-\(way)")
            }
            for wait in early {
                #expect(wait.wait() == 0, "\(wait.standardError)")
                #expect(wait.text.contains("guest login: "))
            }
            for way in Site.Way.allCases {
                #expect(site.guestlog("wait", "web", "login:", "-q", by: way).status == 0)
                let never = site.guestlog("wait", "web", "no such words", "--timeout", "1s", by: way)
                #expect(never.status == 1)
                #expect(never.standardError == "guestlog: web did not print a match in time\n")
            }
            guest.stop()
        }

        @Test("exit status: 0 success, 1 nothing matched, 2 wrong use, 3 unreachable; with an explanation")
        func exitsAsToldTo() throws {
            let site = try Site()
            let guest = try boot(site)
            #expect(try site.sees("login: ", from: "web"))
            for way in Site.Way.allCases {
                let cases: [(words: [String], status: Int32, says: String)] = [
                    (["logs", "web", "-n", "3"], 0, ""),
                    (["logs", "web", "-g", "Linux version"], 0, ""),
                    (["logs", "web", "-g", "never said"], 1, "matches 'never said'"),
                    (["logs", "web", "--severity", "emerg"], 1, "emerg"),
                    (["logs", "web", "-U", "2001-01-01"], 0, "this log spans"),
                    (["logs", "wbe"], 2, "did you mean web?"),
                    (["logs", "-p", "err"], 2, "did you mean --severity err?"),
                    (["logs", "web", "-b", "7"], 2, "no boot 7"),
                    (["logs", "web", "-S", "soon"], 2, "not a time"),
                    (["logs", "web", "-o", "xml"], 2, "unknown format xml"),
                    (["logs", "web", "-g", "("], 2, "("),
                    (["logs", "web", "-o", "short-precise"], 2, "text with --timestamps"),
                    (["logs", "web", "--no-pager", "-q", "-o", "cat", "-n1", "-b", "all"], 0, ""),
                    (["wait", "web", "Linux version", "--timeout", "60"], 0, ""),
                    (["patterns", "web", "-n", "-1"], 0, ""),
                    (["patterns", "web", "-n", "-2"], 2, "must be a whole number"),
                    (
                        ["logs", "web", "-r", "--limit-bytes", "100"], 2,
                        "--reverse cannot be combined with --limit-bytes"
                    ),
                    (["logs", "web", "--nonsense"], 2, "nonsense"),
                    (["logs"], 2, "a VM is missing"),
                    (["wait", "wbe", "x", "--timeout", "200ms"], 2, "did you mean web?"),
                    (["wait", "web", "x", "--timeout", "long"], 2, "long"),
                    (["boots", "wbe"], 2, "did you mean web?"),
                    (["boots", "web"], 0, ""),
                    (["vms"], 0, ""),
                    (["vms", "--output", "xml"], 2, "xml"),
                ]
                for (index, test) in cases.enumerated() {
                    let child = site.begin(test.words, by: way, name: "case-\(way)-\(index)")
                    #expect(child.wait() == test.status, "\(test.words) by \(way): \(child.standardError)")
                    #expect(child.standardError.contains(test.says), "\(test.words) by \(way): \(child.standardError)")
                }
            }
            guest.stop()
            site.stop()
            for words in [
                ["status"], ["console", "web"], ["add", "x", "listen:/x"], ["drop", "web"],
                ["rm", "web", "--socket", "/nowhere"],
            ] {
                let child = site.begin(words, name: "away-\(words[0])")
                #expect(child.wait() == 3, "\(words): \(child.standardError)")
                #expect(child.standardError.contains("is guestlog serve running?"))
            }
            for words in [["logs", "web"], ["vms"], ["boots", "web"], ["wait", "web", "x"]] {
                let child = site.begin(words, by: .socket, name: "unreachable-\(words[0])")
                #expect(child.wait() == 3, "\(words): \(child.standardError)")
            }
            // Without the daemon the store is read.
            for words in [["logs", "web", "-n", "1"], ["vms"], ["boots", "web"], ["verify"]] {
                #expect(site.begin(words, name: "stored-\(words[0])").wait() == 0)
            }
            for words in [["logs", "web"], ["export", "json", "web"], ["verify"]] {
                let child = site.begin(words + ["--store", "/nowhere"], name: "nowhere-\(words[0])")
                #expect(child.wait() == 3, "\(words): \(child.standardError)")
            }
        }

        @Test("help and the version that cannot be written are a failure; a VM that is named twice is verified once")
        func smallAnswers() throws {
            let site = try Site(isServed: false)
            for words in ["help logs", "logs --help", "--version"] {
                for (target, status) in [(">/dev/full", 2), (">&-", 2), (">/dev/null", 0)] as [(String, Int32)] {
                    let command = "\(Program.guestlog) \(words) \(target)"
                    let child = ChildProcess(["sh", "-c", command], name: "out", in: site.path)
                    #expect(child.wait() == status, "\(command)")
                }
            }
            let run = ["run", "--store", site.storePath, "--name", "web", "--", "echo", "hi"]
            #expect(ChildProcess([Program.guestlog] + run, name: "run", in: site.path).wait() == 0)
            #expect(site.guestlog("verify", "web", "web", "w*").text == "web/console0: 4 bytes of text, intact\n")
        }

        @Test("verify exits 4 and names each damaged file; the rest of the log can still be read")
        func verifies() throws {
            let site = try Site()
            #expect(site.guestlog("verify").status == 0)
            #expect(site.guestlog("verify").text.contains("is empty: nothing was captured yet"))
            let guest = try boot(site)
            #expect(try site.sees("login: ", from: "web"))
            let whole = site.guestlog("verify")
            #expect(whole.status == 0 && whole.text.contains("of text, intact"), "\(whole.text)")
            guest.stop()
            site.stop()
            let printed = site.guestlog("logs", "web", "-o", "raw").bytes
            unlink(site.path + "/store/web/vm.json")
            unlink(site.streamFolder("web") + "/meta.json")
            let nameless = site.guestlog("verify")
            #expect(nameless.status == 4)
            #expect(nameless.text.contains("web/vm.json: is missing"), "\(nameless.text)")
            #expect(nameless.text.contains("web/console0/meta.json: is missing"), "\(nameless.text)")
            #expect(nameless.standardError == "guestlog: found 2 damages\n")
            #expect(site.guestlog("logs", "web", "-o", "raw").bytes == printed)
            let listed = site.guestlog("vms").text
            #expect(listed.contains("damaged") && listed.contains("vm.json is missing"), "\(listed)")
            for name in try LinuxFileSystem().names(in: site.streamFolder("web")) where !name.hasSuffix(".json") {
                unlink(site.streamFolder("web") + "/" + name)
            }
            try LinuxFileSystem().makeDirectories(site.storePath + "/access")
            try LinuxFileSystem().replace("tokens.json", in: site.storePath + "/access", with: Array("XX".utf8))
            let tokens = site.guestlog("verify")
            #expect(tokens.status == 4 && tokens.text.contains("tokens.json is damaged"), "\(tokens.text)")
            let emptied = site.guestlog("verify", "web")
            #expect(emptied.status == 4 && emptied.text.contains("are in no file that can be read"), "\(emptied.text)")
            let read = site.guestlog("logs", "web")
            // Nothing is left that could have a gap.
            #expect(read.text.isEmpty, "\(read.text)")
            #expect(read.standardError.contains("'guestlog verify' lists them"), "\(read.standardError)")
        }
    }
}
