// SPDX-License-Identifier: Apache-2.0

import TestTraits
import Testing

@testable import GuestlogService

/// A value that can never work is an error of the configuration, and not one of the receiver later.
@Suite(.blocking) struct ImpossibleValueTests {
    private static let elastic = "outputs:\n  - name: a\n    type: elasticsearch\n    url: http://u:p@x\n"
    private static let loki = "outputs:\n  - name: a\n    type: loki\n    url: http://x\n"

    @Test(
        "a value that can never work is refused, with its line, the key and the remedy",
        arguments: [
            (
                loki + "    headers:\n      X: y\n      A B: c\n", 7,
                "outputs[0].headers: 'A B' is not a name of a header"
            ),
            (loki + "    headers: {X: \"a\\r\\nb\"}\n", 5, "the value of X contains a control character"),
            (loki + "    headers: {content-length: 5}\n", 5, "content-length is set by guestlog: remove it"),
            (loki + "    tenant: \"a\\nb\"\n", 5, "outputs[0].tenant: the value of X-Scope-OrgID contains a control"),
            (loki + "    labels:\n      job: x\n      a-b: c\n", 7, "outputs[0].labels: Loki refuses the label 'a-b'"),
            (loki + "    labels: {1a: c}\n", 5, "no digit at the beginning"),
            (loki + "    labels: {vm: zz}\n", 5, "vm is a label that each stream gets of its own"),
            (
                loki + "    headers: {X-Scope-OrgId: a}\n    tenant: b\n", 6,
                "tenant and the header X-Scope-OrgID exclude each other"
            ),
            (
                loki + "    headers: {authorization: a}\n    token-file: /t\n", 6,
                "the header Authorization and token-file exclude each other"
            ),
            (elastic + "    token-file: /t\n", 5, "user and password in url and token-file exclude each other"),
            (elastic + "    index: Logs\n", 5, "outputs[0].index: Elasticsearch refuses the index 'Logs': use"),
            (elastic + "    index: _logs\n", 5, "Elasticsearch refuses the index '_logs'"),
            (elastic + "    index: 'a b'\n", 5, "Elasticsearch refuses the index 'a b'"),
            (elastic + "    index: ''\n", 5, "Elasticsearch refuses the index ''"),
            (elastic + "    index: 'logs-%d'\n", 5, "% has no meaning in the name of an index"),
            (loki + "    streams: []\n", 5, "outputs[0].streams is empty, so nothing is sent: remove it"),
            (loki + "    vms: []\n", 5, "outputs[0].vms is empty, so no VM matches: remove it"),
            (
                "api: {listen: '[::1]:80', plain: true,\n  origins: [horizon]}\n", 2,
                "no browser sends 'horizon'; use SCHEME"
            ),
            ("consoles:\n  - path: /run/**/{name}.sock\n", 2, "* and ? are not wildcards here; use {name}"),
            ("collector: {guests: [{vsock: '/run/*/{name}/v.sock'}]}\n", 1, "* and ? are not wildcards here"),
            (
                "sources:\n  - type: systemd\n    tag: a\n    matches: [{A: b}, {lower: b}]\n", 4,
                "sources[0].matches: no journal entry has a field 'lower'; use capital letters"
            ),
            ("sources: [{type: systemd, tag: a, matches: {__CURSOR: b}}]\n", 1, "has a field '__CURSOR'"),
            ("libvirt:\n  log-folders: [/x, var/log]\n", 2, "libvirt.log-folders: 'var/log' must begin with /"),
        ]
    )
    func refused(text: String, line: Int, words: String) {
        let error = #expect(throws: ConfigurationError.self) { try Configuration(file: "t.yaml", text: text) }
        #expect(error?.line == line)
        #expect(error?.message.contains(words) == true, "\(error?.message ?? "")")
    }

    @Test("names of indexes that can work are taken", arguments: ["logs-a.b_c-1", ".internal", "<logs-{now/d}>", "é"])
    func indexes(name: String) {
        #expect(throws: Never.self) {
            try Configuration(file: "t.yaml", text: Self.elastic + "    index: '\(name)'\n")
        }
    }

    @Test(
        "an origin is as browsers write it",
        arguments: [
            ("https://a.example", true), ("http://a.example:8080", true), ("http://[::1]:3000", true),
            ("moz-extension://6c5b4c1e", true), ("https://a.example/", false), ("https://A.example", false),
            ("https://a.example:443", false), ("http://a.example:80", false), ("https://", false), ("null", false),
            ("a.example", false), ("https://u@a.example", false), ("https://a.example:", false), ("*", false),
        ]
    )
    func origins(origin: String, isValid: Bool) {
        let text = "api: {listen: '[::1]:80', plain: true, origins: ['\(origin)']}"
        #expect(((try? Configuration(file: "t.yaml", text: text)) != nil) == isValid)
    }
}
