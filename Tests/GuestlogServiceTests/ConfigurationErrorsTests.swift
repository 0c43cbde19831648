// SPDX-License-Identifier: Apache-2.0

import TestTraits
import Testing

@testable import GuestlogService

/// What one check of a file reports.
@Suite(.blocking) struct ConfigurationErrorsTests {
    private func errors(_ text: String) -> [String] {
        let error = #expect(throws: ConfigurationError.self) { try Configuration(file: "g.yaml", text: text) }
        return error?.all.map { "\($0)" } ?? []
    }

    @Test("every unknown key and every wrong value is reported, by line")
    func all() {
        let found = errors(
            """
            stroe: /x
            log-level: loud
            libvirt: { sockt: none }
            retention:
              total: 5x
              age: soon
              wide: 1
              overrides:
                - { vms: a, size: big }
                - { vms: b }
            openstack: { console-output: twice }
            outputs:
              - { name: a, type: loky }
              - { name: b, type: stdout, batch: 7q }
            sources:
              - { type: tail, tag: a, path: relative }
              - { type: nonesuch, tag: b }
            pipelines:
              - match: a
                filters: [{ nosuch: 1 }, { keep: { a: b } }]
            consoles:
              - { connect: /run/a, name: a, rate: fast }
              - { tcp: here, name: b }
            collector:
              guests: [{ cid: 1, name: a }, { cid: x, name: b }]
            """
        )
        let lines = found.map { $0.split(separator: ":")[1] }
        #expect(lines == "1 2 3 5 6 7 9 10 11 13 14 16 17 20 20 22 23 25 25".split(separator: " "), "\(found)")
        #expect(found.first == "g.yaml:1: unknown key stroe; did you mean store?")
        #expect(found.contains { $0.contains("unknown type loky") })
    }

    @Test("every key of another program is reported once, and does not hide the other errors of its source")
    func otherPrograms() {
        let found = errors(
            """
            sources:
              - type: tail
                tag: a
                path: relative
                pos_file: /y
                parser: json
                pasth: /z
            """
        )
        #expect(found.map { $0.split(separator: ":")[1] } == ["4", "5", "6", "7"], "\(found)")
        #expect(found.count { $0.contains("is not a key of Guestlog") } == 2)
    }

    @Test(
        "what is not YAML is reported with the remedy",
        arguments: [
            ("{}\nstore: /x\n", "remove it"), ("store: /x\n---\nruntime: /y\n", "remove the line ---"),
            ("retention:\n\tvm: 1GiB\n", "not tabs"), ("outputs:\n- vms: *\n", "quote a value"),
        ]
    )
    func remedy(text: String, remedy: String) {
        #expect(errors(text).first?.contains(remedy) == true, "\(errors(text))")
    }

    @Test("an unknown key gets the nearest one that is not given, or the list of a few")
    func unknownKeys() {
        let found = errors("retention: { overrides: [{ vms: a, vm: 1GiB }] }\nlibvirt: { sokcet: none }\n")
        #expect(found.contains { $0.hasSuffix("overrides[0].vm; its keys are age, size, vms") }, "\(found)")
        #expect(found.contains { $0.hasSuffix("did you mean socket?") }, "\(found)")
    }

    @Test("the packaged file has no keys, and those of the README can be added below")
    func packagedFile() throws {
        let root = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let text = try ConfigurationError.text(of: root + "/packaging/guestlog.yaml")
        #expect(try Configuration(file: "g.yaml", text: text).patterns.isEmpty)
        let more = "consoles:\n  - path: /run/vms/{name}.sock\n"
        #expect(try Configuration(file: "g.yaml", text: text + more).patterns.count == 1)
    }

    @Test(
        "what follows from another error is not reported",
        arguments: [
            "consoles:\n  - { connect: /run/a, name: a, plain-file: here, plain-size: 1M }\n",
            "outputs:\n  - nmae: a\n    type: loki\n    url: http://h\n",
            "sources:\n  - type: tail\n    tag: a\n    path: here\n",
            "sources:\n  - type: tail\n    tag: a\n    path: /x\n    matches: [{A: b}]\n",
            "retention: { vm: 5x, total: 1M }\n", "store: [a]\n", "sources: { a: b }\n",
            "api: { lisen: 1 , plain: true }\n",
        ]
    )
    func consequences(_ text: String) {
        #expect(errors(text).count == 1, "\(errors(text))")
    }
}
