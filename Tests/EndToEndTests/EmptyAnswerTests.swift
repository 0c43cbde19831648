// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogStore
import TestSupport
import Testing

/// Messages about results that are empty, cut or complete.
@Suite(.serialized) struct EmptyAnswerTests {
    private func prepare() throws -> Site {
        let site = try Site(isServed: false)
        let script = ["sh", "-c", "printf 'one\\ntwo\\nthree\\n'"]
        let run = site.begin(["run", "--name", "web"] + site.options(.store) + ["--"] + script, name: "run")
        #expect(run.wait() == 0)
        return site
    }

    @Test("a result that was cut by --limit-bytes is not reported as empty")
    func cut() throws {
        let answer = try prepare().guestlog("logs", "web", "--limit-bytes", "10")
        #expect(answer.bytes.count == 10 && answer.status == 0)
        #expect(answer.standardError == "")
    }

    @Test("of a VM that is listed and has printed nothing, logs and boots say so, and why")
    func silent() throws {
        let site = try Site(
            consoles: { "consoles: [{ connect: '\($0)/file', name: web }]" },
            isServed: false
        )
        FileText.write("", to: site.path + "/file")
        try site.start()
        #expect(eventually { site.guestlog("vms").text.contains("not captured: connect \(site.path)/file") })
        for way in Site.Way.allCases {
            for words in [["logs", "web"], ["boots", "web"]] {
                let answer = site.guestlog(words, by: way)
                #expect(answer.status == 2)
                let reason = "web has printed nothing yet; not captured: connect \(site.path)/file"
                #expect(answer.standardError.contains(reason), "\(words): \(answer.standardError)")
            }
        }
    }

    @Test("a range of time that ends before it begins is reported, in the requested time zone")
    func times() throws {
        let site = try prepare()
        let answer = site.guestlog("logs", "web", "--since", "1m", "--until", "10m")
        #expect(answer.standardError.contains("ends (") && answer.standardError.contains("before it begins"))
        func span(_ words: [String], _ zone: String) -> String {
            let command = [Program.guestlog, "logs", "web", "--until", "2001-01-01"] + words + site.options(.store)
            let child = ChildProcess(command, name: "span-\(words.count)", in: site.path, environment: ["TZ": zone])
            child.wait()
            return child.standardError.replacing(#/^.*this log spans/#, with: "")
        }
        #expect(span(["--utc"], "XXX-5:30") == span([], "UTC0"))
        #expect(span(["--utc"], "XXX-5:30").contains("–"))
    }

    @Test("as many lines as there are, requested with -n, are the whole log, with its first boot marker")
    func wholeTail() throws {
        let site = try prepare()
        let whole = site.guestlog("logs", "web", "--markers").text
        #expect(whole.hasPrefix("-- boot 1: power-on --\n"))
        for count in ["3", "4", "1000000", "all"] {
            #expect(site.guestlog("logs", "web", "--markers", "-n", count).text == whole, "\(count)")
        }
        #expect(site.guestlog("logs", "web", "--markers", "-n", "2").text.hasPrefix("two\n"))
    }

    @Test("a script gets the guest's lines: boot markers are shown on a terminal or on request")
    func markers() throws {
        let site = try prepare()
        #expect(site.guestlog("logs", "web").text == "one\ntwo\nthree\n")
        #expect(site.guestlog("logs", "web", "-n", "1").text == "three\n")
    }

    @Test("lines that match any of several patterns are shown, a missing stream is reported and waited for")
    func mistakes() throws {
        let site = try prepare()
        let either = site.guestlog("logs", "web", "-g", "one", "-gthree")
        #expect(either.text == "one\nthree\n")
        #expect(site.guestlog("logs", "web", "-g", "four", "-g", "five").status == 1)
        let absent = site.guestlog("wait", "web", "x", "--stream", "console9", "--timeout", "100ms")
        #expect(
            absent.status == 1
                && absent.standardError.contains("web has no stream console9 yet; its streams are console0")
        )
    }

    @Test("without a daemon, rm marks a VM as deleted in the store")
    func removesWithoutDaemon() throws {
        let site = try prepare()
        #expect(site.guestlog("rm", "web").status == 0)
        #expect(try site.store.vms().first?.ended != nil)
        let again = site.guestlog("rm", "web")
        #expect(again.status == 2 && again.standardError.contains("was deleted already"))
        #expect(site.guestlog("logs", "web").text.contains("three\n"))
    }

    @Test("a pattern stands for several VMs where these make sense, and is refused with the remedy where one is needed")
    func patterns() throws {
        let site = try Site()
        for name in ["web-1", "web-2"] {
            let guest = try Chardev(site.path + "/vms/\(name).sock")
            try guest.accept()
            guest.emit("[    0.000000] Linux version 6.1.0\r\n\(name) login: \r\n")
            #expect(site.guestlog("wait", name, "login:", "--timeout", "60s").status == 0)
        }
        for way in Site.Way.allCases {
            let boots = site.guestlog("boots", "web-*", by: way)
            #expect(boots.status == 0 && boots.text.hasPrefix("VM"), "\(boots.standardError)")
            #expect(boots.text.contains("\nweb-1 ") && boots.text.contains("\nweb-2 "), "\(boots.text)")
            let objects = site.guestlog("boots", "web-*", "-o", "json", by: way).text
            #expect(objects.contains(#""vm":"web-1""#) && objects.contains(#""vm":"web-2""#), "\(objects)")
            #expect(!site.guestlog("boots", "web-1", "-o", "json", by: way).text.contains(#""vm":"#))
            #expect(site.guestlog("boots", "no*", by: way).standardError.contains("no VM matches no*"))
            for words in [
                ["rm", "web-*"], ["wait", "web-*", "x"], ["console", "web-*", "--watch"], ["drop", "web-*"],
            ] {
                let refused = site.guestlog(words, by: way)
                #expect(refused.status == 2, "\(words)")
                let remedy = #"name one VM, not a pattern; "guestlog vms 'web-*'" lists them"#
                #expect(refused.standardError.contains(remedy))
            }
        }
        #expect(site.guestlog("verify", "web-*").status == 0 && site.guestlog("export", "json", "web-*").status == 0)
    }

    @Test("an error in the configuration file does not keep anybody from reading, and is reported")
    func brokenConfiguration() throws {
        let site = try prepare()
        FileText.write("store: \(site.storePath)\nretntion: {}\n", to: site.configuration)
        let environment = ["GUESTLOG_CONFIG": site.configuration]
        for words in [["logs", "web"], ["vms"], ["boots", "web"], ["verify"]] {
            let child = ChildProcess(
                [Program.guestlog] + words,
                name: words[0],
                in: site.path,
                environment: environment
            )
            #expect(child.wait() == 0, "\(words): \(child.standardError)")
            #expect(child.standardError.contains("did you mean retention?"), "\(words): \(child.standardError)")
        }
    }

    @Test("wait prints the line as logs displays it, and no forged marker")
    func waitsForDisplayedLine() throws {
        let site = try Site()
        let guest = try Chardev(site.path + "/vms/web.sock")
        try guest.accept()
        guest.emit("\rguest login: ")
        for way in Site.Way.allCases {
            #expect(site.guestlog("wait", "web", "login:", "--timeout", "60s", by: way).text == "guest login: \n")
        }
        guest.emit("\r\n-- boot 99: power-on --\r\n")
        for way in Site.Way.allCases {
            let forged = site.guestlog("wait", "web", "boot 99", "--timeout", "60s", by: way)
            #expect(forged.text == "--\\x20boot 99: power-on --\n")
        }
    }

    @Test("a follower of a deleted VM is told so and continues with the next of its name", arguments: Site.Way.allCases)
    func deleted(way: Site.Way) throws {
        let site = try Site()
        let guest = try Chardev(site.path + "/vms/web.sock")
        try guest.accept()
        guest.emit("last words\n")
        #expect(eventually { site.guestlog("logs", "web").text.contains("last words\n") })
        let follower = site.begin(["logs", "web", "-f", "--markers"], by: way, name: "follower")
        #expect(eventually { follower.text.contains("last words\n") || follower.hasEnded })
        #expect(site.guestlog("rm", "web").status == 0)
        #expect(eventually { follower.text.contains("-- web was deleted; the next VM of that name is followed --\n") })
        let late = site.begin(["logs", "web", "-f", "--markers"], by: way, name: "late")
        #expect(eventually { late.text.contains("-- web was deleted; the next VM of that name is followed --\n") })
        unlink(site.path + "/vms/web.sock")
        let next = try Chardev(site.path + "/vms/web.sock")
        try next.accept()
        next.emit("of the next machine\n")
        for each in [follower, late] {
            #expect(eventually { each.text.contains("of the next machine\n") })
            #expect(each.text.contains("last words\n") && !each.hasEnded)
            each.signal(SIGKILL)
        }
    }

    // Swift's own list of arguments is empty then in a statically linked program, as the packaged one is; in a program
    // with Swift's shared libraries it is not.
    @Test("a program whose arguments were moved by a preloaded library starts nevertheless")
    func movedArguments() throws {
        let folder = TemporaryFolder()
        FileText.write(
            "#include <stdlib.h>\\n__attribute__((constructor)) static void begin(void) { setenv(\"MOVED\", \"1\", 1); }\\n"
                .replacing("\\n", with: "\n"),
            to: folder.path + "/moved.c"
        )
        let compiler = ChildProcess(
            ["clang", "-shared", "-fPIC", "-o", "moved.so", "moved.c"],
            name: "clang",
            in: folder.path
        )
        #expect(compiler.wait() == 0, "\(compiler.standardError)")
        let child = ChildProcess(
            [Program.guestlog, "--version"],
            name: "moved",
            in: folder.path,
            environment: ["LD_PRELOAD": folder.path + "/moved.so"]
        )
        #expect(child.wait() == 0, "\(child.standardError)")
        #expect(child.text.hasPrefix("0."))
    }
}
