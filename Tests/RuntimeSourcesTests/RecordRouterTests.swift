// SPDX-License-Identifier: Apache-2.0

import LogModel
import TestSupport
import TestTraits
import Testing
import TextFormats
import Transforms

@testable import RuntimeSources

@Suite(.blocking) struct RecordRouterTests {
    private let fixture: SourceFixture

    init() throws {
        fixture = try SourceFixture()
    }

    /// Imports a file with this text.
    private func load(
        _ text: String,
        _ format: RecordFormat,
        pipeline: Pipeline = Pipeline(),
        _ change: (inout SourceDefinition) -> Void = { _ in }
    ) throws {
        var source = SourceFixture.source()
        change(&source)
        let path = try fixture.write(text, "in.log")
        _ = try Import.run(.file(path, format), as: source, pipeline: pipeline, into: fixture.capture) { _ in }
    }

    @Test("what a guest prints names no VM, whatever names it gives to fields")
    func guest() throws {
        let inner = #"{\"msg\":\"x\",\"sandbox\":\"victim\",\"kata_sandbox\":\"victim\"}"#
        let line = #"time="2020-02-21T10:31:29Z" level=debug msg="reading guest console" name=k pid=1 "#
        try load(line + #"sandbox=s1 vmconsole="\#(inner)""# + "\n" + line + #"vmconsole="\#(inner)""# + "\n", .kata)
        #expect(try fixture.lines(of: "victim").isEmpty)
        #expect(try fixture.lines(of: "s1").count == 1 && fixture.lines().count == 1)
    }

    @Test("what a parser finds in a text does not change the VM that the record named before")
    func parsedText() throws {
        var parser = ParserFilter(key: "log", format: .json)
        parser.reservesData = true
        let pipeline = Pipeline([PipelineStage(match: "*", filters: [.parser(parser)])])
        let text = #"{\"pod\":\"victim\",\"sandbox\":\"victim\"}"#
        try load(
            #"{"pod":"p1","log":"\#(text)"}"# + "\n" + #"{"log":"{\"pod\":\"p2\"}"}"# + "\n",
            .json,
            pipeline: pipeline
        ) {
            $0.vmFields = [Array("sandbox".utf8), Array("pod".utf8)]
        }
        #expect(try fixture.lines(of: "victim").isEmpty)
        #expect(try fixture.lines(of: "p1").count == 1 && fixture.lines(of: "p2").count == 1)
    }

    @Test(
        "a record that is too long is cut and flagged, whatever of it is long, and the next one is stored",
        arguments: [
            // A raw control character becomes six bytes.
            #"{""# + String(repeating: "\u{1}", count: 700_000) + #"":1,"b":2}"#,
            #"{"a":1,""# + String(repeating: "\u{1}", count: 700_000) + #"":1}"#,
            "{" + (0..<20).map { "\"\($0)\":\"\(String(repeating: "\u{1}", count: 70_000))\"" }.joined(separator: ",")
                + "}",
            "{" + (0..<100_000).map { "\"\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\($0)\":1" }.joined(separator: ",") + "}",
        ]
    )
    func tooLong(line: String) throws {
        try load(line + "\n" + #"{"next":1}"# + "\n", .json)
        let lines = try fixture.lines()
        #expect(lines.count == 2 && lines.last == #"{"next":1}"#)
        #expect(lines[0].contains(#""GUESTLOG_TRUNCATED":true"#))
    }
}
