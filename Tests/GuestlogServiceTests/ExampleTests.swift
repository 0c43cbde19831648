// SPDX-License-Identifier: Apache-2.0

import LogModel
import RuntimeSources
import TestTraits
import Testing
import TextFormats
import Transforms

@testable import GuestlogService

/// The configurations in packaging/examples, with data as Kata's documentation shows it.
@Suite(.blocking) struct ExampleTests {
    private static let folder =
        "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/") + "/packaging/examples/"

    private static let names = [
        "kata-journal-logfmt", "kata-json-file", "kata-json-file-prefix", "kata-containerd-split",
    ]

    private func configuration(_ name: String) throws -> Configuration {
        try Configuration(file: Self.folder + name + ".yaml")
    }

    /// What a configuration makes of the lines, with the tags.
    private func run(_ name: String, _ lines: [String]) throws -> [(json: JSON, tag: String)] {
        let configuration = try configuration(name)
        let source = try #require(configuration.sources.first)
        var format = RecordFormat.json
        if case .files(_, let own, _) = source.kind {
            format = own
        }
        var pipeline = configuration.pipeline
        var decoder = RecordDecoder(format, flattens: false)
        var out: [(json: JSON, tag: String)] = []
        let text = Array(lines.joined(separator: "\n").utf8)
        func add(_ record: inout RecordBuffer, _ location: RecordDecoder.Location) {
            pipeline.process(&record, tag: source.tag, readAt: Timestamp(microseconds: 0)) { record, tag in
                var line: [UInt8] = []
                record.appendJSON(to: &line)
                out.append((json: (try? JSON(parsing: line)) ?? .null, tag: tag))
            }
        }
        text.withUnsafeBytes { decoder.add($0, readAt: Timestamp(microseconds: 0), add) }
        decoder.finish(add)
        return out
    }

    @Test("each example is valid, and all of it has an effect", arguments: names)
    func valid(name: String) throws {
        let configuration = try configuration(name)
        #expect(configuration.pipelineFaults.isEmpty && configuration.conflicts.isEmpty)
    }

    private let message =
        #"time=\"2020-02-21T10:31:27.810781647Z\" level=info msg=\"release sandbox\" arch=amd64 command=state "#
        + "container=7cdd31660d8705facdadeb8598d2c0bd008e8142c54e3b3069abd392c8d58997 name=kata-runtime pid=14314 "
        + "sandbox=1c3e77cad66aa2b6d8cc846f818370f79cb0104c0b840f67d0f502fd6562b68c source=virtcontainers subsystem=sandbox"

    @Test(
        "the journal's fields stay, the message's have the prefix, the process's number is a number, the time is its own"
    )
    func journal() throws {
        let entry =
            #"{"_HOSTNAME":"minikube","PRIORITY":"6","SYSLOG_IDENTIFIER":"kata-runtime","_PID":"14314","MESSAGE":"\#(message)"}"#
        let json = try #require(try run("kata-journal-logfmt", [entry]).first?.json)
        let wanted: [(String, JSON)] = [
            ("GUESTLOG_TIME", .string("2020-02-21T10:31:27.810781647Z")), ("_HOSTNAME", .string("minikube")),
            ("PRIORITY", .string("6")), ("SYSLOG_IDENTIFIER", .string("kata-runtime")), ("_PID", .string("14314")),
            ("MESSAGE", .string(message.replacing("\\\"", with: "\""))), ("kata_level", .string("info")),
            ("kata_msg", .string("release sandbox")), ("kata_arch", .string("amd64")),
            ("kata_command", .string("state")),
            ("kata_container", .string("7cdd31660d8705facdadeb8598d2c0bd008e8142c54e3b3069abd392c8d58997")),
            ("kata_name", .string("kata-runtime")), ("kata_pid", .integer(14314)),
            ("kata_sandbox", .string("1c3e77cad66aa2b6d8cc846f818370f79cb0104c0b840f67d0f502fd6562b68c")),
            ("kata_source", .string("virtcontainers")), ("kata_subsystem", .string("sandbox")),
        ]
        #expect(json == .object(wanted))
    }

    private let kill =
        #"{"EndpointProperties":{"Iface":{"Index":4,"MTU":1460,"Name":"eth0","Statistics":{"RxPackets":1,"TxPackets":5}}},"#
        + #""arch":"amd64","level":"warning","msg":"kill","pid":9,"time":"2020-02-21T10:31:27.1Z"}"#

    @Test("an object of a file: its statistics are left out, its types and its time stay")
    func file() throws {
        let json = try #require(try run("kata-json-file", [kill]).first?.json)
        let iface = json["EndpointProperties"]?["Iface"]
        #expect(iface?["Statistics"] == nil && iface?["Index"] == .integer(4) && iface?["Name"] == .string("eth0"))
        #expect(json["pid"] == .integer(9) && json["PRIORITY"] == .string("4"))
        #expect(json["GUESTLOG_TIME"] == .string("2020-02-21T10:31:27.100000000Z"))
    }

    @Test("a line parsed as an object: all names have the prefix, the line itself is left out")
    func prefixed() throws {
        let json = try #require(try run("kata-json-file-prefix", [kill]).first?.json)
        #expect(json["kata_level"] == .string("warning") && json["kata_pid"] == .integer(9) && json["message"] == nil)
        #expect(json["kata_EndpointProperties"]?["Iface"]?["MTU"] == .integer(1460))
        #expect(json["PRIORITY"] == .string("4"))
    }

    @Test("Kata's and containerd's entries are separated, and what containerd repeats is left out")
    func split() throws {
        func entry(_ program: String, _ message: String) -> String {
            #"{"SYSLOG_IDENTIFIER":"\#(program)","MESSAGE":"\#(message)"}"#
        }
        let entries = [
            entry("kata", message), entry("containerd", message),
            entry("containerd", #"time=\"2020-02-21T10:31:28Z\" level=info msg=\"shim started\""#),
        ]
        let out = try run("kata-containerd-split", entries)
        #expect(out.map(\.tag) == ["kata_tag", "containerd_tag"])
        #expect(out.first?.json["kata_subsystem"] == .string("sandbox") && out.last?.json["kata_msg"] == nil)
    }

    @Test(
        "errors name the key and the remedy",
        arguments: [
            ("sources: [{type: systemd}]", "tag is missing"),
            ("sources: [{type: kafka, tag: a}]", "unknown type kafka; use systemd, tail or forward"),
            ("sources: [{type: systemd, tag: a, pos_file: /x}]", "positions are kept in the store"),
            ("sources: [{type: systemd, tag: a, filters: [{A: b}]}]", "use matches"),
            ("sources: [{type: tail, tag: a}]", "path is missing"),
            ("sources: [{type: forward}]", "listen is missing"),
            ("sources: [{type: forward, listen: x}]", "must be ADDRESS:PORT"),
            ("sources: [{type: forward, listen: '0.0.0.0:24224'}]", "set shared_key_file"),
            ("sources: [{type: forward, listen: /run/x, path: /y}]", "path has no effect with type: forward"),
            ("sources: [{type: tail, tag: a, path: /x, format: xml}]", "unknown format xml"),
            ("sources: [{type: systemd, tag: a}, {type: systemd, tag: a}]", "two sources have the name a"),
            ("sources: [{type: systemd, tag: a}, {type: systemd, tag: b, stream: a}]", "both feed the stream a"),
            ("pipelines: [{filters: []}]", "match is missing"),
            ("pipelines: [{match: a, filters: [{set: {team: [a, b]}}]}]", "set must be a mapping of names to texts"),
            ("pipelines: [{match: a, filters: [{rename: {a: [b]}}]}]", "rename must be a mapping of names to texts"),
            (
                "pipelines: [{match: a, filters: [{severity: {key: l, values: {x: [err, info]}}}]}]",
                "values must be a mapping of names to texts"
            ),
            ("pipelines: [{match: a, filters: [{parsr: x}]}]", "did you mean parser?"),
            ("pipelines: [{match: a, filters: [{parser: {key_name: M}}]}]", "format is missing"),
            (
                "pipelines: [{match: a, filters: [{rewrite_tag: [{key: M, pattern: /.+/, tag: b}]}]}]",
                "patterns are not regular expressions"
            ),
            ("pipelines: [{match: a, filters: [{severity: {key: l, values: {x: odd}}}]}]", "odd is not a severity"),
        ]
    )
    func errors(text: String, wanted: String) {
        let error = #expect(throws: ConfigurationError.self) { try Configuration(file: "t.yaml", text: text) }
        #expect(error?.message.contains(wanted) == true, "\(error?.message ?? "")")
    }
}
