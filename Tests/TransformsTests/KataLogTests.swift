// SPDX-License-Identifier: Apache-2.0

import LogModel
import TestSupport
import TestTraits
import Testing
import TextFormats

@testable import Transforms

@Suite(.blocking) struct KataLogTests {
    /// A file whose text is read in pieces of that size.
    private func file(_ name: String, _ text: String, pieces: Int = 100) -> KataLogFile {
        var rest = Array(text.utf8)[...]
        return KataLogFile(name) {
            guard !rest.isEmpty else {
                return nil
            }
            defer { rest = rest.dropFirst(pieces) }
            return Array(rest.prefix(pieces))
        }
    }

    private func run(
        _ files: [KataLogFile],
        _ format: KataLogFormat = .ndjson,
        _ change: (inout KataLogOptions) -> Void = { _ in }
    ) throws -> (text: String, problems: [String], statistics: KataLogStatistics) {
        var options = KataLogOptions(format: format)
        change(&options)
        var merge = KataLogMerge(files, options)
        var out: [UInt8] = []
        var problems: [String] = []
        var hasMore = true
        while hasMore {
            let result = try merge.write(1, to: &out)
            problems += result.problems.map(\.description)
            hasMore = result.hasMore
        }
        return (format.head + String(decoding: out, as: UTF8.self) + format.tail, problems, merge.statistics)
    }

    private func line(_ second: Int, _ message: String, _ rest: String = "") -> String {
        let time = "2020-02-21T10:31:\(10 + second).5Z"
        return #"time="\#(time)" level=info msg="\#(message)" name=kata-runtime pid=1 source=runtime\#(rest)"# + "\n"
    }

    @Test("files are merged by time; at one time the first file comes first; each file keeps its order")
    func merge() throws {
        let a = line(1, "a1") + line(3, "a3") + line(2, "a2, late") + line(5, "a5")
        let b = line(0, "b0") + line(3, "b3") + line(5, "b5")
        let text = try run([file("a", a), file("b", b)]).text
        let messages = text.split(separator: "\n").map { line in
            (try? JSON(parsing: line.utf8))?["msg"]?.text ?? ""
        }
        #expect(messages == ["b0", "a1", "a3", "a2, late", "b3", "a5", "b5"])
    }

    @Test("1,000 records of one time stay in the order of their files")
    func stable() throws {
        let text = (0..<1000).map { line(1, "\($0)") }.joined()
        let out = try run([file("a", text), file("b", "")]).text
        let numbers = out.split(separator: "\n").compactMap {
            (try? JSON(parsing: $0.utf8))?["msg"]?.text.flatMap { Int($0) }
        }
        #expect(numbers == Array(0..<1000))
    }

    @Test("each format: where a record comes from, and the nanoseconds since the one before it")
    func formats() throws {
        let text = line(1, #"a, \"b\""#, " sandbox=s1 n=2") + line(2, "second")
        #expect(
            try run([file("f", text)]).text.split(separator: "\n").first
                == #"{"GUESTLOG_TIME":"2020-02-21T10:31:11.500000000Z","level":"info","msg":"a, \"b\"","name":"kata-runtime","pid":1,"source":"runtime","sandbox":"s1","n":2,"GUESTLOG_FILE":"f","GUESTLOG_LINE":1,"GUESTLOG_DELTA":0}"#
        )
        #expect(
            try run([file("f", text)], .csv).text
                == """
                count,time_delta,time,file,line,level,source,name,pid,sandbox,container,msg,data
                1,0,2020-02-21T10:31:11.500000000Z,f,1,info,runtime,kata-runtime,1,s1,,"a, ""b""\","{""n"":2}"
                2,1000000000,2020-02-21T10:31:12.500000000Z,f,2,info,runtime,kata-runtime,1,,,second,{}

                """
        )
        #expect(
            try run([file("f", text)], .logfmt).text.hasPrefix(
                #"time=2020-02-21T10:31:11.500000000Z level=info msg="a, \"b\"" name=kata-runtime pid=1 source=runtime sandbox=s1 n=2"#
            )
        )
        #expect(
            try run([file("f", text)], .text).text.hasPrefix(
                #"2020-02-21T10:31:11.500000000Z info kata-runtime[1]: a, "b" source=runtime sandbox=s1 n=2"#
            )
        )
        let json = try JSON(parsing: run([file("f", text)], .json).text.utf8)
        #expect(json.elements?.count == 2 && json.elements?[1]["GUESTLOG_DELTA"] == .integer(1_000_000_000))
        #expect(try JSON(parsing: run([file("f", "")], .json).text.utf8) == .array([]))
    }

    @Test(
        "what kata-log-parser ends at is reported, and the lines around it are read",
        arguments: [
            (#"time="2020-02-21T10:31:12Z" msg="x"y""#, true), ("", false), ("   ", false),
            (#"time="2020-02-21T10:31:12Z" level=info msg="\a\U0001f600\101" name=k pid=1 source=s"#, true),
            (#"time="2020-02-21T10:31:12Z" level=info msg=a=b=c name=k pid=1 source=s"#, false),
            (#"time="2020-02-21T10:31:12Z" level=info msg=x x=1 x=2 name=k pid=1 source=s"#, true),
            (#"time="2020-02-21T10:31:12Z" level=info msg=x name=k pid=1 source=s"#, false),
            (
                #"time="2020-02-21T10:31:12Z" level=info msg="\#(String(repeating: "x", count: 70_000))" name=k pid=1 source=s"#,
                false
            ),
        ]
    )
    func badLines(bad: String, isFaulty: Bool) throws {
        let result = try run([file("f", line(1, "one") + bad + "\n" + line(3, "three"), pieces: 4096)])
        #expect(result.text.contains(#""msg":"one""#) && result.text.contains(#""msg":"three""#))
        #expect(result.problems.isEmpty != isFaulty, "\(result.problems)")
        #expect(result.problems.allSatisfy { $0.hasPrefix("f:2: ") })
    }

    @Test(
        "what is checked in a record",
        arguments: [
            ("level=info msg=x name=k pid=1 source=s", "time is missing"),
            ("time=noon level=info msg=x name=k pid=1 source=s", "the time cannot be read"),
            (#"time="2020-02-21T10:31:12Z" msg=x name=k pid=1 source=s"#, "level is missing"),
            (#"time="2020-02-21T10:31:12Z" level=info msg=x pid=1 source=s"#, "name is missing"),
            (#"time="2020-02-21T10:31:12Z" level=info msg=x name=k source=s"#, "pid is missing"),
            (#"time="2020-02-21T10:31:12Z" level=info msg=x name=k pid= source=s"#, "pid is missing"),
            (#"time="2020-02-21T10:31:12Z" level=info msg=x name=k pid=1"#, "source is missing"),
            (#"time="2020-02-21T10:31:12Z" level=info msg=x name=k pid=-1 source=s"#, "pid is not a process number"),
            (#"time="2020-02-21T10:31:12Z" level=info msg=x name=k pid=abc source=s"#, "pid is not a process number"),
            (#"time="2020-02-21T10:31:12Z" level=info msg=x name="a b" pid=1 source=s"#, "name is more than one word"),
            (#"time="2020-02-21T10:31:12Z" level=info msg=x name=k pid=1 source=s a=1 a=2"#, "a is there twice"),
            (#"time="2020-02-21T10:31:12Z" level=info msg="\x01" name=k pid=1 source=s"#, "msg has control characters"),
            (
                #"time="2020-02-21T10:31:12Z" level=info msg="%!d(MISSING)" name=k pid=1 source=s"#,
                "msg has a formatting error"
            ),
            (
                #"time="2020-02-21T10:31:12Z" level=info msg="%!(EXTRA int=1)" name=k pid=1 source=s"#,
                "msg has a formatting error"
            ),
            (
                #"time="2020-02-21T10:31:12Z" level=info msg="%!(BADPREC)" name=k pid=1 source=s"#,
                "msg has a formatting error"
            ),
            (#"time="2020-02-21T10:31:12Z" level=info msg=x name=k pid=1 source=s y"="1"#, "not a key=value pair"),
        ]
    )
    func checks(line: String, wanted: String) throws {
        let problems = try run([file("f", line)]).problems
        #expect(problems.contains { $0.contains(wanted) }, "\(problems)")
        let isMissing = wanted.hasSuffix("missing")
        let lenient = try run([file("f", line)]) { $0.allowsMissing = true }.problems
        #expect(lenient.contains { $0.contains(wanted) } != isMissing)
    }

    @Test(
        "times with any number of decimals and any offset, or none at all",
        arguments: [
            "2018-02-17T12:34:56Z", "2018-02-17T12:34:56.1Z", "2018-02-17T12:34:56.12345678Z",
            "2018-02-17T12:34:56.123456789Z", "2018-02-17T12:34:56.1-08:00", "2018-02-17T12:34:56.1+07:31",
            "2018-02-17T12:34:56.1+09:44", "2018-02-17T12:34:56.1-01:01",
        ]
    )
    func times(time: String) throws {
        let result = try run([file("f", #"time="\#(time)" level=info msg=x name=k pid=1 source=s"#)])
        #expect(result.problems.isEmpty && result.text.contains("GUESTLOG_TIME"))
    }

    @Test("counts: levels, sandboxes, problems, the first and the last time")
    func statistics() throws {
        let text = line(1, "a", " sandbox=s1") + line(2, "b", " sandbox=s1") + "bare text\n"
        let rows = try run([file("f", text)]).statistics.rows
        #expect(rows.contains(["records", "3"]) && rows.contains(["records with problems", "1"]))
        #expect(rows.contains(["level info", "2"]) && rows.contains(["sandbox s1", "2"]))
        #expect(rows.contains(["first", "2020-02-21T10:31:11.500000000Z"]))
    }
}
