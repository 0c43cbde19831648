// SPDX-License-Identifier: Apache-2.0

import LogModel
import TestSupport
import TestTraits
import Testing
import TextFormats

@testable import Transforms

@Suite(.blocking) struct PipelineTests {
    private func run(_ filters: [RecordFilter], _ text: String, tag: String = "t") -> [String] {
        run([PipelineStage(match: "*", filters: filters)], [text], tag: tag).map(\.line)
    }

    private func run(_ stages: [PipelineStage], _ texts: [String], tag: String) -> [(line: String, tag: String)] {
        var pipeline = Pipeline(stages)
        var lines: [(line: String, tag: String)] = []
        for text in texts {
            var record = RecordBuffer()
            let line = Array(text.utf8)
            let base = record.store(line).lowerBound
            _ = line.withUnsafeBytes { JSONFieldParser.parse($0, at: base, into: &record) }
            pipeline.process(&record, tag: tag, readAt: Timestamp(microseconds: 0)) { record, tag in
                var out: [UInt8] = []
                record.appendJSON(to: &out)
                lines.append((line: String(decoding: out, as: UTF8.self), tag: tag))
            }
        }
        return lines
    }

    @Test("a parsed field: its fields replace the record, or are added, and take the place of others")
    func parser() {
        var parser = ParserFilter(key: "m", format: .logfmt)
        let record = #"{"a":"old","m":"a=new b=2","c":"x"}"#
        #expect(run([.parser(parser)], record) == [#"{"a":"new","b":2}"#])
        parser.reservesData = true
        #expect(run([.parser(parser)], record) == [#"{"m":"a=new b=2","c":"x","a":"new","b":2}"#])
        parser.prefix = Array("p_".utf8)
        parser.removesKey = true
        #expect(run([.parser(parser)], record) == [#"{"a":"old","c":"x","p_a":"new","p_b":2}"#])
        #expect(run([.parser(parser)], #"{"a":"old"}"#) == [#"{"a":"old"}"#])
    }

    @Test("what cannot be parsed keeps its text, whatever the options are")
    func unparsed() {
        let parser = ParserFilter(key: "m", format: .json)
        #expect(
            run([.parser(parser)], #"{"m":"no object","c":1}"#) == [
                #"{"m":"no object","GUESTLOG_PARSE_ERROR":"not in this format","GUESTLOG_UNPARSED":"no object"}"#
            ]
        )
    }

    @Test("names: prefix, renaming, setting")
    func names() {
        #expect(
            run([.addPrefix(Array("kata_".utf8))], #"{"level":"x","pid":1}"#) == [#"{"kata_level":"x","kata_pid":1}"#]
        )
        #expect(run([.rename([FieldValue("a", "b")])], #"{"a":1,"c":2}"#) == [#"{"b":1,"c":2}"#])
        #expect(run([.set([FieldValue("a", "x"), FieldValue("n", "y")])], #"{"a":1}"#) == [#"{"a":"x","n":"y"}"#])
    }

    @Test("paths: fields, flattened members, members of objects, at each place among their neighbours")
    func paths() {
        let path = RecordFilter.remove([FieldPath("E.I.S")])
        #expect(run([path], #"{"E":{"I":{"Index":4,"S":{"Rx":1}}},"b":1}"#) == [#"{"E":{"I":{"Index":4}},"b":1}"#])
        #expect(run([path], #"{"E":{"I":{"S":{"Rx":1},"Index":4}}}"#) == [#"{"E":{"I":{"Index":4}}}"#])
        #expect(run([path], #"{"E":{"I":{"S":1}}}"#) == [#"{"E":{"I":{}}}"#])
        #expect(run([path], #"{"E":{"I":{"x":1}}}"#) == [#"{"E":{"I":{"x":1}}}"#])
        #expect(run([path], #"{"E.I.S.Rx":1,"E.I.S":2,"E.I.Sx":3}"#) == [#"{"E.I.Sx":3}"#])
        #expect(run([.remove([FieldPath("$.E.I")])], #"{"E":{"I":1,"J":2}}"#) == [#"{"E":{"J":2}}"#])
        #expect(run([.keep([FieldPath("E"), FieldPath("b")])], #"{"E.I":1,"Ex":2,"b":3}"#) == [#"{"E.I":1,"b":3}"#])
    }

    @Test("records are dropped by conditions, and get severities by their words")
    func conditions() {
        let drop = RecordFilter.drop([RecordMatch([.init("level", ["debug", "trace"]), .init("name", ["kata*"])])])
        #expect(run([drop], #"{"level":"debug","name":"kata-agent"}"#).isEmpty)
        #expect(run([drop], #"{"level":"debug","name":"other"}"#).count == 1)
        #expect(run([drop], #"{"level":"info","name":"kata"}"#).count == 1)
        let severity = RecordFilter.severity(SeverityFilter(key: "l", words: ["odd": .alert]))
        for (word, number) in [("fatal", 2), ("trace", 7), ("warning", 4), ("odd", 1)] {
            #expect(run([severity], #"{"l":"\#(word)"}"#) == [#"{"l":"\#(word)","PRIORITY":"\#(number)"}"#])
        }
        #expect(run([severity], #"{"l":"?"}"#) == [#"{"l":"?"}"#])
    }

    @Test("rules of tags: the first that matches the whole value; without one the record keeps its tag")
    func tags() {
        let rules = [
            TagRule(RecordMatch([.init("ID", ["kata"])]), tag: "kata_tag"),
            TagRule(RecordMatch([.init("MESSAGE", ["?*"])]), tag: "containerd_tag"),
        ]
        let stages = [
            PipelineStage(match: "tmp", filters: [.rewriteTag(rules), .addPrefix([UInt8(ascii: "x")])]),
            PipelineStage(match: "kata_tag", filters: [.addPrefix([UInt8(ascii: "k")])]),
        ]
        let texts = [
            #"{"ID":"kata","MESSAGE":"a"}"#, #"{"ID":"kata-proxy","MESSAGE":"b"}"#, #"{"ID":"x","MESSAGE":""}"#,
        ]
        let out = run(stages, texts, tag: "tmp")
        #expect(out.map(\.tag) == ["kata_tag", "containerd_tag", "tmp"])
        #expect(out.map(\.line) == [#"{"kID":"kata","kMESSAGE":"a"}"#, texts[1], #"{"xID":"x","xMESSAGE":""}"#])
    }

    @Test("rules that form a circle end")
    func circle() {
        let any = RecordMatch([.init("a", ["*"])])
        let stages = [
            PipelineStage(match: "x", filters: [.rewriteTag([TagRule(any, tag: "y")])]),
            PipelineStage(match: "y", filters: [.rewriteTag([TagRule(any, tag: "x")])]),
        ]
        #expect(run(stages, [#"{"a":1}"#], tag: "x").count == 1)
    }

    @Test("of what the runtime and containerd both write one copy is kept, and repeats of one of them stay")
    func copies() {
        let stages = [PipelineStage(match: "*", filters: [.dropCopies])]
        func entry(_ program: String, _ text: String) -> String {
            #"{"SYSLOG_IDENTIFIER":"\#(program)","MESSAGE":"\#(text)"}"#
        }
        let texts = [
            entry("kata", "a"), entry("containerd", "a"), entry("kata", "b"), entry("kata", "b"),
            entry("containerd", "b"),
            entry("containerd", "b"), entry("containerd", "own"), entry("containerd", "c\\n"), entry("kata", "c"),
            entry("kata", "a"),
        ]
        let kept = run(stages, texts, tag: "t").map(\.line)
        #expect(kept == [texts[0], texts[2], texts[3], texts[6], texts[7], texts[9]])
    }

    @Test("what can never have an effect is named, with the reason")
    func faults() {
        let any = RecordMatch([.init("ID", ["*"])])
        let kata = RecordMatch([.init("ID", ["kata"])])
        let pipeline = Pipeline([
            PipelineStage(match: "tmp", filters: [.rewriteTag([TagRule(any, tag: "a"), TagRule(kata, tag: "b")])]),
            PipelineStage(match: "nowhere", filters: [.drop([RecordMatch([])])]),
        ])
        #expect(
            pipeline.faults(tags: ["tmp"]).map(\.description) == [
                "rewrite_tag: rule 2 (b) never applies: rule 1 (a) matches all of its records before it; put it first",
                "match: nowhere matches no tag; the tags are a, b, tmp",
                "drop: a condition without fields drops every record",
            ]
        )
        let sound = Pipeline([
            PipelineStage(match: "tmp", filters: [.rewriteTag([TagRule(kata, tag: "b"), TagRule(any, tag: "a")])])
        ])
        #expect(sound.faults(tags: ["tmp"]).isEmpty)
    }

    @Test("patterns match whole values, and know what they cover")
    func patterns() {
        for (pattern, value, wanted) in [
            ("kata", "kata", true), ("kata", "kata-proxy", false), ("kata*", "kata-proxy", true), ("*", "", true),
            ("?*", "", false),
            ("a*b*c", "axxbxxbc", true), ("a*b*c", "axxcxxb", false), ("a\\*", "a*", true), ("a\\*", "ab", false),
            ("**", "x", true),
        ] {
            #expect(GlobPattern(pattern).matches(value.utf8) == wanted, "\(pattern) \(value)")
        }
        #expect(GlobPattern("ka*").covers(GlobPattern("kata*")) && !GlobPattern("kata*").covers(GlobPattern("ka*")))
        #expect(GlobPattern("*").covers(GlobPattern("?*")) && !GlobPattern("?*").covers(GlobPattern("*")))
        let long = GlobPattern(String(repeating: "*a", count: 200))
        #expect(!long.matches([UInt8](repeating: UInt8(ascii: "a"), count: 199)))
    }
}
