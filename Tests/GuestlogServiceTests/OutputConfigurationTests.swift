// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import Outputs
import Query
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import GuestlogService

@Suite(.blocking) struct OutputConfigurationTests {
    private func read(_ text: String) throws -> [OutputSettings] {
        try Configuration(file: "test.yaml", text: "outputs:\n" + text).outputs
    }

    private static let repository = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")

    @Test("keys and passwords are read through links, without the end of their line; a missing file names the remedy")
    func secrets() throws {
        let folder = TemporaryFolder()
        try StoredFile(folder.path + "/1", .create, on: LinuxFileSystem()).write(at: 0, [0x61, 0xff, 0x62, 13, 10])
        symlink("1", folder.path + "/key")
        func read(password: String) throws -> [OutputSettings] {
            try self.read(
                "  - { name: a, type: forward, servers: [x], shared-key-file: \(folder.path)/key, user: u, "
                    + "password-file: \(folder.path)/\(password) }"
            )
        }
        guard case .forward(let settings)? = try read(password: "key").first?.destination else {
            Issue.record("no output")
            return
        }
        #expect(settings.sharedKey == [0x61, 0xff, 0x62] && settings.password == [0x61, 0xff, 0x62])
        let error = #expect(throws: ConfigurationError.self) { _ = try read(password: "none") }
        let reason = "\(folder.path)/none: No such file or directory; create the file with the secret"
        #expect(error?.message.contains(reason) == true, "\(error?.message ?? "")")
    }

    @Test("the examples are valid")
    func examples() throws {
        let folder = Self.repository + "/packaging/examples"
        let names = try LinuxFileSystem().names(in: folder).filter { $0.hasPrefix("output-") }
        #expect(names.count >= 7)
        for name in names {
            let text = try #require(try LinuxFileSystem().contents(of: folder + "/" + name))
            let configuration = try Configuration(file: name, text: String(decoding: text, as: UTF8.self))
            #expect(!configuration.outputs.isEmpty, "\(name)")
        }
    }

    @Test("the configuration in docs/outputs.md is valid, and its table names every key of all types")
    func document() throws {
        let bytes = try #require(try LinuxFileSystem().contents(of: Self.repository + "/docs/outputs.md"))
        let text = String(decoding: bytes, as: UTF8.self)
        let sample = try #require(text.firstMatch(of: #/```yaml\n([^`]+)```/#)?.1)
        #expect(try Configuration(file: "outputs.md", text: String(sample)).outputs.count == 2)
        for type in DestinationType.allCases {
            #expect(text.contains("`\(type.rawValue)`"), "\(type)")
            for key in type.keys {
                #expect(text.contains("`\(key)`") || text.contains("`\(key): "), "\(type): \(key)")
            }
        }
    }

    @Test("what is sent is read")
    func selection() throws {
        let output = try read(
            """
              - name: a
                type: loki
                url: http://h:3100
                vms: [db-*, lab/*]
                streams: [kernel]
                severity: warning
                fields: [UNIT=sshd.service]
                redact: ['token=\\S+']
                from: beginning
                boots: true
                batch: 64KiB
                interval: 2s
                tenant: t
            """
        )[0]
        #expect(output.vms == VMPattern(["db-*", "lab/*"]))
        #expect(output.streams == [StreamName("kernel")!])
        #expect(output.severity == .warning)
        #expect(output.fields.words == ["UNIT=sshd.service"])
        #expect(output.startsAtBeginning && output.sendsBoots)
        #expect(output.batch == 65_536 && output.interval == 2_000_000)
        guard case .loki(let settings) = output.destination else {
            Issue.record("\(output.destination)")
            return
        }
        #expect(settings.http.headers["X-Scope-OrgID"] == "t")
    }

    @Test(
        "an error names the line, the key and what is expected",
        arguments: [
            ("  - { type: otlp }", "an output requires a name"),
            ("  - { name: a }", "an output requires a type: one of syslog, otlp"),
            ("  - { name: a, type: kafka }", "unknown type kafka of an output; use one of syslog, otlp"),
            ("  - { name: a, type: otlp }", "requires a url, such as http://collector.example:4318"),
            ("  - { name: a, type: otlp, url: 'ftp://x' }", "requires a url"),
            (
                "  - { name: a, type: otlp, url: 'http://x:99999' }",
                "outputs[0].url: an output of this type requires a url with http:// or https://, a host, and a port up to 65535"
            ),
            ("  - { name: a, type: otlp, url: 'http://x', sevrity: err }", "did you mean severity?"),
            ("  - { name: a, type: otlp, url: 'http://x', severity: loud }", "loud is not a severity"),
            ("  - { name: a, type: otlp, url: 'http://x', redact: ['('] }", "is not a regular expression"),
            ("  - { name: a, type: otlp, url: 'http://x', from: start }", "must be beginning or now"),
            ("  - { name: a, type: otlp, url: 'http://x', batch: 1GiB }", "at most 8MiB"),
            ("  - { name: a, type: otlp, url: 'http://x', fields: [x] }", "FIELD=VALUE"),
            (
                "  - { name: a, type: otlp, url: 'http://x', tls: { certificate: /c } }",
                "certificate and key are required together"
            ),
            ("  - { name: a, type: stdout }\n  - { name: a, type: stdout }", "another output is named a"),
            ("  - { name: a, type: forward }", "servers is missing"),
            ("  - { name: a, type: forward, servers: ['::1'] }", "must be HOST:PORT"),
            ("  - { name: a, type: forward, servers: [x], mode: fast }", "use one of forward, packed, compressed"),
            ("  - { name: a, type: syslog, to: 'http://x' }", "must be a path such as /dev/log"),
            ("  - { name: a, type: syslog, facility: x }", "x is not a facility"),
            ("  - { name: a, type: file }", "path is missing"),
            ("  - { name: a, type: file, path: logs }", "must be a path that begins with /"),
        ]
    )
    func errors(text: String, words: String) {
        let error = #expect(throws: ConfigurationError.self) { _ = try read(text) }
        #expect(error.map { "\($0)".contains(words) } ?? false, "\(error.map { "\($0)" } ?? "none")")
    }
}
