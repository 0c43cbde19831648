// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import TestSupport
import TestTraits
import Testing

/// Runtime logs with the real program: killed imports, rotation by the real logrotate, real containers' logs.
@Suite(.blocking, .serialized) struct RuntimeLogTests {
    private static let rounds = Program.variable("GUESTLOG_KILLS").flatMap { Int($0) } ?? 8
    private static let seed =
        Program.variable("GUESTLOG_SEED").flatMap { UInt64($0) } ?? UInt64.random(in: 0...UInt64.max)

    /// The numbers `n` of the stored records of a VM, in order.
    private func numbers(_ site: Site, _ vm: String) -> [Int] {
        let logs = site.guestlog("logs", vm, "-o", "raw")
        return logs.text.split(separator: "\n").compactMap { line in
            line.firstRange(of: #""n":"#).flatMap { Int(line[$0.upperBound...].prefix { $0.isNumber }) }
        }
    }

    /// Runs a command that knows no store.
    private func run(_ words: String...) -> (status: Int32, text: String, error: String) {
        let folder = TemporaryFolder()
        let child = ChildProcess([Program.guestlog] + words, name: "command", in: folder.path)
        return (child.wait(), child.text, child.standardError)
    }

    private static func line(_ number: Int) -> String {
        #"time="2026-11-20T17:00:00.123456789Z" level=info msg="record \#(number)" name=kata pid=1 source=s n=\#(number)"#
            + "\n"
    }

    @Test("an import killed again and again stores each record once, in order")
    func killedImport() throws {
        let site = try Site(isServed: false)
        var generator = SeededGenerator(seed: Self.seed)
        let count = Self.rounds * 4000
        let file = site.path + "/kata.log"
        FileText.write((0..<count).map(Self.line).joined(), to: file)
        let words = [
            Program.guestlog, "import", "--format", "kata", "--vm", "node", "--config", site.configuration, file,
        ]
        for _ in 0..<Self.rounds {
            let importing = ChildProcess(words, name: "import", in: site.path)
            usleep(UInt32.random(in: 10_000..<300_000, using: &generator))
            importing.stop(SIGKILL)
        }
        let last = ChildProcess(words, name: "last", in: site.path)
        #expect(last.wait() == 0, "\(last.standardError)")
        let isComplete = numbers(site, "node") == Array(0..<count)
        #expect(isComplete, "GUESTLOG_SEED=\(Self.seed)")
    }

    @Test(
        "a file that logrotate rotates under a daemon that is killed: each record once, in order",
        .enabled(if: access("/usr/sbin/logrotate", X_OK) == 0, "needs logrotate"),
        arguments: ["create", "copytruncate", "create+compress+delaycompress"]
    )
    func rotatedFile(_ manner: String) throws {
        let site = try Site(isServed: false)
        let log = site.path + "/logs/kata.log"
        mkdir(site.path + "/logs", 0o755)
        FileText.write(
            "store: \(site.storePath)\nruntime: \(site.runtime)\n"
                + "sources: [{type: tail, tag: kata, path: '\(log)', format: kata, vm: node, stream: runtime}]\n",
            to: site.configuration
        )
        let directives = manner.split(separator: "+").joined(separator: "\n  ")
        FileText.write("\(log) {\n  rotate 20\n  \(directives)\n  missingok\n}\n", to: site.path + "/rotate.conf")
        FileText.write("", to: log)
        chmod(site.path + "/rotate.conf", 0o644)
        try site.start()
        var next = 0
        for round in 0..<Self.rounds {
            // What a rotation removes or compresses was read; what it renames or copies need not be.
            let before = next
            for part in 0..<40 {
                let file = open(log, O_WRONLY | O_APPEND | O_CREAT, 0o644)
                let text = Array((next..<next + 10).map(Self.line).joined().utf8)
                #expect(write(file, text, text.count) == text.count)
                close(file)
                next += 10
                if part == 0 {
                    #expect(eventually { numbers(site, "node").count > before })
                }
            }
            if round % 3 == 0 {
                site.killDaemon()
            }
            let rotation = ChildProcess(
                ["logrotate", "-f", "-s", site.path + "/state", site.path + "/rotate.conf"],
                name: "logrotate",
                in: site.path
            )
            #expect(rotation.wait() == 0, "\(rotation.standardError)")
            if round % 3 == 0 {
                try site.start()
            }
        }
        let wanted = Array(0..<next)
        #expect(eventually { numbers(site, "node").count >= next })
        let found = numbers(site, "node")
        let difference = zip(found, wanted).first { $0 != $1 }
        let isComplete = found.count == next && difference == nil
        #expect(isComplete, "\(found.count) of \(next) records; the first difference: \(difference ?? (-1, -1))")
    }

    @Test("iolog frames a program's streams, keeps its status, and reads back from a time on")
    func iolog() throws {
        let site = try Site(isServed: false)
        let log = site.path + "/output.log"
        let exec = run("iolog", "exec", "--to", log, "--", "sh", "-c", "echo out; echo err >&2; printf tail; exit 7")
        #expect(exec.status == 7)
        let cat = run("iolog", "cat", log)
        #expect(cat.status == 0 && cat.text == "out\ntail" && cat.error == "err\n")
        #expect(run("iolog", "exec", "--", "/no/such/file").status == 127)
        // Three entries at known times: 1, 2 and 3 s.
        let entries = "AMqaOwAAAAAgAA==a\nAJQ1dwAAAAAgAA==b\nAF7QsgAAAAAgAA==c\n"
        FileText.write(entries, to: log)
        for (time, wanted) in [
            ("1970-01-01T00:00:01.999999999Z", "b\nc\n"), ("1970-01-01T00:00:02Z", "b\nc\n"),
            ("1970-01-01T00:00:02.000000001Z", "c\n"), ("1970-01-01T00:00:04Z", ""),
        ] {
            #expect(run("iolog", "cat", log, "--since", time).text == wanted, "\(time)")
        }
        #expect(run("iolog", "cat", log, "--timestamps").text.hasPrefix("1970-01-01T00:00:01.000000000Z a\n"))
        FileText.write("x" + entries, to: log)
        let damaged = run("iolog", "cat", log)
        #expect(damaged.status == 4 && damaged.text == "a\nb\nc\n")
    }

    @Test("kata-log: merged files, a bad line reported and kept, strict mode")
    func kataLog() throws {
        let site = try Site(isServed: false)
        FileText.write(Self.line(1) + "no record\n" + Self.line(2), to: site.path + "/a.log")
        FileText.write("", to: site.path + "/empty.log")
        let merged = run("kata-log", "-o", "ndjson", site.path + "/a.log", site.path + "/empty.log")
        #expect(merged.status == 0 && merged.text.split(separator: "\n").count == 3)
        #expect(merged.error.contains("a.log:2: not in this format"))
        #expect(run("kata-log", "--strict", "--check-only", site.path + "/a.log").status == 4)
        #expect(run("kata-log", "--error-if-file-empty", site.path + "/empty.log").status == 2)
        let both = run("kata-log", "--output-file", site.path + "/a.log", site.path + "/a.log")
        #expect(both.status == 2 && both.error.contains("is also read; name another file"))
        #expect(run("kata-log", "-o", "ndjson", site.path + "/a.log").text == merged.text)
        #expect(run("kata-log", "-o", "toml", site.path + "/a.log").error.contains("use text, ndjson"))
        let absent = run("kata-log", "/no/such/file")
        #expect(absent.status == 2 && absent.error.contains("/no/such/file cannot be opened: No such file"))
        #expect(run("iolog", "cat", "/no/such/file").status == 2 && run("kata-log", "/").status == 2)
        #expect(run("kata-log", "--output-file", "/no/such/out", site.path + "/a.log").status == 2)
    }

    @Test("kata-log reads compressed files, and writes to standard output when it is named")
    func compressedKataLog() throws {
        let site = try Site(isServed: false)
        let path = site.path + "/a.log"
        FileText.write(Self.line(1) + Self.line(2), to: path)
        let plain = run("kata-log", path)
        #expect(plain.status == 0 && run("kata-log", "--output-file", "-", path).text == plain.text)
        for (program, suffix) in [("gzip", ".gz"), ("zstd", ".zst"), ("xz", ".xz")] {
            let pack = ChildProcess([program, "-k", "-q", path], name: program, in: site.path)
            try #require(pack.wait() == 0)
            let answer = run("kata-log", path + suffix)
            #expect(answer.status == 0 && answer.text == plain.text, "\(program): \(answer.error)")
        }
        #expect(truncate(path + ".gz", off_t(FileText.bytes(path + ".gz").count - 9)) == 0)
        let torn = run("kata-log", path + ".gz")
        #expect(torn.status == 2 && torn.error.contains("is damaged or incomplete: gzip ended with 1"), "\(torn.error)")
    }

    @Test("import refuses what it cannot read, with the remedy")
    func refusedImports() throws {
        let site = try Site(isServed: false)
        FileText.write(Self.line(1), to: site.path + "/a.log")
        let pack = ChildProcess(["zstd", "-q", site.path + "/a.log"], name: "zstd", in: site.path)
        #expect(pack.wait() == 0)
        mkfifo(site.path + "/pipe", 0o600)
        for (file, says) in [
            ("a.log.zst", "zstdcat FILE"), ("pipe", "write the text to a file"), ("none", "No such file"),
        ] {
            let answer = site.guestlog("import", "--format", "kata", "--vm", "node", site.path + "/" + file)
            #expect(answer.status == 2 && answer.standardError.contains(says), "\(file): \(answer.standardError)")
        }
        let journal = ["import", "--format", "journal", "--vm", "node"]
        let answer = site.guestlog(journal + [site.path + "/a.log"])
        #expect(answer.status == 2 && answer.standardError.contains("is not a journal"), "\(answer.standardError)")
        let entry = #"{"__CURSOR":"c","__REALTIME_TIMESTAMP":"1700000000000001","MESSAGE":"hi"}"#
        FileText.write(entry + "\n", to: site.path + "/a.json")
        #expect(site.guestlog(journal + [site.path + "/a.json"]).text == "1 records imported\n")
    }

    @Test("logs -f ends with its reader, though nothing more is logged", arguments: [Site.Way.store, .socket])
    func readerLeaves(way: Site.Way) throws {
        let site = try Site(isServed: false)
        FileText.write(Self.line(1), to: site.path + "/a.log")
        #expect(site.guestlog("import", "--format", "kata", "--vm", "node", site.path + "/a.log").status == 0)
        if way == .socket {
            try site.start()
        }
        let words = ([Program.guestlog, "logs", "node", "-f"] + site.options(way)).joined(separator: " ")
        let pipeline = ChildProcess(["sh", "-c", words + " | head -1"], name: "pipeline", in: site.path)
        #expect(pipeline.wait() == 0)
        #expect(pipeline.text.contains("record 1"))
    }

    @Test("patterns: shapes with counts over VMs; config try: what a pipeline makes of lines")
    func patternsAndTry() throws {
        let site = try Site(isServed: false)
        FileText.write(
            (0..<50).map(Self.line).joined() + Self.line(50).replacing("record", with: "other"),
            to: site.path + "/a.log"
        )
        #expect(site.guestlog("import", "--format", "kata", "--vm", "node", site.path + "/a.log").status == 0)
        let patterns = site.guestlog("patterns", "--json").text.split(separator: "\n")
        #expect(
            patterns.count == 2 && patterns[0].contains(#""count":50,"vms":1"#) && patterns[0].contains("record <*>")
        )
        let example = Program.repository + "/packaging/examples/kata-journal-logfmt.yaml"
        FileText.write(
            #"{"SYSLOG_IDENTIFIER":"kata-runtime","MESSAGE":"level=info pid=3"}"# + "\n",
            to: site.path + "/in"
        )
        let tried = ChildProcess(
            ["sh", "-c", "\(Program.guestlog) config try \(example) < \(site.path)/in"],
            name: "try",
            in: site.path
        )
        #expect(tried.wait() == 0)
        #expect(tried.text.contains(#""kata_level":"info","kata_pid":3,"GUESTLOG_TAG":"kata-containers"}"#))
        #expect(site.guestlog("config", "check", example).status == 0)
    }

    @Test("config try shows what the daemon stores: members of objects are fields")
    func tryObjects() throws {
        let site = try Site(isServed: false)
        let file = site.path + "/sources.yaml"
        FileText.write(
            """
            sources:
              - {type: tail, tag: pods, path: \(site.path)/x.log, format: json}
              - {type: systemd, tag: journal}
            pipelines:
              - match: "*"
                filters:
                  - severity: {key: log.level}

            """,
            to: file
        )
        func tried(_ line: String, _ source: String) -> String {
            FileText.write(line + "\n", to: site.path + "/in")
            let child = ChildProcess(
                ["sh", "-c", "\(Program.guestlog) config try \(file) --source \(source) < \(site.path)/in"],
                name: "try",
                in: site.path
            )
            #expect(child.wait() == 0)
            return child.text
        }
        let found = tried(#"{"log":{"level":"error"}}"#, "pods")
        #expect(found.contains(#"{"log.level":"error","PRIORITY":"3","#), "\(found)")
        let entry = tried(#"{"MESSAGE":[77,252,108],"object":{"a":[1]}}"#, "journal")
        #expect(entry.contains(#"{"MESSAGE":[77,252,108],"object":{"a":[1]},"#), "\(entry)")
    }
}
