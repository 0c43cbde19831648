// SPDX-License-Identifier: Apache-2.0

import SystemIO
import TestTraits
import Testing
import Transforms

/// packaging/man/guestlog.yaml.5 describes the same keys as docs/configuration.md.
@Suite(.blocking) struct ManualTests {
    private func text(_ path: String) throws -> String {
        let repository = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let file = try StoredFile("/\(repository)/\(path)", .read, on: LinuxFileSystem())
        return String(decoding: try file.read(at: 0, count: 1 << 20), as: UTF8.self)
    }

    @Test("guestlog.yaml(5) describes every key of docs/configuration.md, and no other")
    func keys() throws {
        var documented: Set<String> = []
        var isYAML = false
        for line in try text("docs/configuration.md").split(separator: "\n") {
            if line.hasPrefix("```") {
                isYAML = line == "```yaml"
            } else if isYAML, let match = line.firstMatch(of: #/^ *(?:# )?(?:- )?([a-z-]+):(?: |$)/#) {
                documented.insert(String(match.1))
            }
        }
        let manual = try text("packaging/man/guestlog.yaml.5").replacing("\\-", with: "-")
        let described = Set(manual.matches(of: #/(?m)^\.BR? ([a-z-]+):/#).map { String($0.1) })
        // The document has these in its text.
        #expect(described == documented.union(["namespace"]))
    }

    @Test("docs/runtime-logs.md describes every format of records, and no other")
    func formats() throws {
        let rows = try text("docs/runtime-logs.md").matches(of: #/(?m)^\| `([a-z-]+)` \|/#).map { String($0.1) }
        #expect(RecordFormat.allCases.allSatisfy { rows.contains($0.rawValue) })
        let described = try text("docs/runtime-logs.md").firstMatch(of: #/format: json +# ([a-z, -]+)\n/#)?.1
        let names = described?.split(separator: ",").map { String($0.drop { $0 == " " }) } ?? []
        #expect(Set(names) == Set(RecordFormat.allCases.map(\.rawValue)))
    }
}
