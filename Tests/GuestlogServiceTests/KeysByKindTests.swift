// SPDX-License-Identifier: Apache-2.0

import TestTraits
import Testing

@testable import GuestlogService

/// A key that would have no effect is an error, as an unknown one is.
@Suite(.blocking) struct KeysByKindTests {
    @Test(
        "a key of another kind is refused, with its line, the kind and the remedy",
        arguments: [
            (
                "consoles:\n  - path: /run/{name}.sock\n    on-demand: true\n", 3,
                "consoles[0].on-demand has no effect with path: remove it, or use connect, listen, tcp, pty or fifo"
            ),
            (
                "consoles:\n  - path: /run/{name}.sock\n    name: web\n", 3,
                "consoles[0].name comes from the path, /run/{name}.sock: use {name} there"
            ),
            (
                "consoles:\n  - connect: /x\n    name: x\n    on-demand: true\n    plain-file: /y\n", 5,
                "consoles[0].plain-file has no effect with on-demand, which stores nothing"
            ),
            (
                "sources:\n  - type: tail\n    tag: a\n    path: /x\n    listen: 127.0.0.1:1\n", 5,
                "sources[0].listen has no effect with type: tail: remove it, or use type: forward"
            ),
            (
                "sources:\n  - type: tail\n    tag: a\n    path: /x\n    matches: [{A: b}]\n", 5,
                "use the filter drop of a pipeline"
            ),
            (
                "sources:\n  - type: journal\n    tag: a\n    rotate_wait: 1s\n", 4,
                "has no effect with type: systemd: remove it, or use type: tail"
            ),
            (
                "sources:\n  - type: systemd\n    tag: a\n    hostname: h\n", 4,
                "has no effect with type: systemd: remove it, or use type: forward"
            ),
            ("sources:\n  - type: forward\n    listen: /x\n    hostname: h\n", 4, "set it too"),
            ("sources:\n  - type: forward\n    listen: /x\n    format: json\n", 4, "or use type: tail"),
            (
                "api:\n  certificate: /c\n  key: /k\n", 2,
                "api.certificate has no effect without listen: add listen: ADDRESS:PORT"
            ),
            ("api:\n  anonymous: true\n", 2, "api.anonymous has no effect without listen"),
            ("api:\n  origins: [https://x]\n", 2, "api.origins has no effect without listen"),
            (
                "outputs:\n  - name: a\n    type: syslog\n    url: http://x\n", 4,
                "outputs[0].url has no effect with type: syslog: remove it, or use type: otlp, type: elasticsearch"
            ),
            (
                "outputs:\n  - name: a\n    type: otlp\n    url: http://x\n    tls: {verify: false}\n", 5,
                "outputs[0].tls has no effect on http://x: use https:// in url"
            ),
            (
                "outputs:\n  - name: a\n    type: elasticsearch\n    url: http://x/_bulk\n", 4,
                "http://x/_bulk: leave out /_bulk; the index is named by the key index"
            ),
            (
                "outputs:\n  - name: a\n    type: syslog\n    to: tcp://x\n    tls: {verify: false}\n", 5,
                "outputs[0].tls has no effect on tcp://x: use tls:// or relp+tls:// in to"
            ),
            (
                "outputs:\n  - name: a\n    type: forward\n    servers: [x]\n    user: u\n", 5,
                "outputs[0].user has no effect without shared-key-file: set it too"
            ),
            ("kubevirt:\n  node: none\n  kubeconfig: /x\n", 3, "kubevirt.kubeconfig has no effect with node: none"),
        ]
    )
    func refused(text: String, line: Int, words: String) {
        let error = #expect(throws: ConfigurationError.self) { try Configuration(file: "t.yaml", text: text) }
        #expect(error?.line == line)
        #expect(error?.message.contains(words) == true, "\(error?.message ?? "")")
    }

    @Test("a key of another kind without a value is as good as absent")
    func null() throws {
        let text = "consoles: [{path: '/run/{name}', name: ~, on-demand: }]\napi: {certificate: ~}\n"
        let configuration = try Configuration(file: "t.yaml", text: text)
        #expect(configuration.patterns.count == 1 && configuration.listener == nil)
    }

    @Test("a key that no kind has is unknown, whatever the kind")
    func unknown() {
        let text = "sources: [{type: tail, tag: a, path: /x, lsten: y}]"
        let error = #expect(throws: ConfigurationError.self) { try Configuration(file: "t.yaml", text: text) }
        #expect(error?.message == "unknown key sources[0].lsten; did you mean listen?")
    }
}
