// SPDX-License-Identifier: Apache-2.0

import LogStore
import SystemIO
import TestTraits
import Testing

/// `docs/security.md` names existing tests for its statements, and existing declarations of the limits.
@Suite(.blocking) struct SecurityDocumentTests {
    private static let path = "docs/security.md"

    /// A test that the document names: `TARGET/SUITE.FUNCTION`, or `packaging/tests/service.sh:PART`.
    private struct Reference: Hashable, CustomStringConvertible {
        let description: String
        let file: String
        /// The text of its declaration in the file.
        let declaration: String
        let isFunction: Bool

        static func all(in text: String) -> [Reference] {
            let functions = text.matches(of: #/`(\w+Tests)/(\w+Tests)\.(\w+)`/#).map { match in
                let (whole, target, suite, function) = match.output
                let file = "Tests/\(target)/\(suite).swift"
                return Reference(String(whole), file, " func \(function)(", isFunction: true)
            }
            let parts = text.matches(of: #/`(packaging/tests/service\.sh):(\w+)`/#).map { match in
                let (whole, file, part) = match.output
                return Reference(String(whole), String(file), "\npart_\(part)() {", isFunction: false)
            }
            return functions + parts
        }

        private init(_ description: String, _ file: String, _ declaration: String, isFunction: Bool) {
            self.description = description
            self.file = file
            self.declaration = declaration
            self.isFunction = isFunction
        }

        /// Whether the test is declared in `text`, its file: a function that only helps has no `@Test` of its own.
        func isDeclared(in text: String) -> Bool {
            guard let range = text.firstRange(of: declaration) else {
                return false
            }
            let before = text[..<range.lowerBound]
            guard isFunction, let attribute = before.ranges(of: "@Test").last else {
                return !isFunction
            }
            return !before[attribute.upperBound...].contains(" func ")
        }
    }

    /// The repository's folder, above `Tests/GuestlogServiceTests/SecurityDocumentTests.swift`.
    private static let repository = #filePath.split(separator: "/", omittingEmptySubsequences: false)
        .dropLast(3).joined(separator: "/")

    /// The repository's file at `path`; nil when it does not exist.
    private static func text(_ path: String) throws -> String? {
        try LinuxFileSystem().contents(of: repository + "/" + path).map { String(decoding: $0, as: UTF8.self) }
    }

    private static func document() throws -> String { try #require(try text(path)) }

    /// The list items below the headings `heading`.
    private static func items(below heading: String, in document: String) -> [String] {
        var items: [String] = []
        var isBelow = false
        for line in document.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix("#") {
                isBelow = line == "### " + heading
            } else if isBelow, line.hasPrefix("- ") {
                items.append(String(line))
            } else if isBelow, line.hasPrefix("  "), let last = items.indices.last {
                items[last] += "\n" + line
            }
        }
        return items
    }

    @Test("every test that the document names is in its suite, or in the script")
    func tests() throws {
        let references = Set(Reference.all(in: try Self.document()))
        #expect(references.count > 50)
        for reference in references {
            let text = try #require(try Self.text(reference.file), "\(reference): there is no \(reference.file)")
            #expect(reference.isDeclared(in: text), "\(reference): there is no such test")
        }
    }

    @Test("every statement on what an attacker can and cannot do names a test", arguments: ["Can", "Cannot"])
    func statements(heading: String) throws {
        let items = Self.items(below: heading, in: try Self.document())
        // One section for each of the four attackers.
        #expect(items.count >= 4)
        for item in items {
            #expect(!Reference.all(in: item).isEmpty, "no test is named: \(item)")
        }
    }

    @Test("every limit is declared where the document says, with that value")
    func limits() throws {
        let document = try Self.document()
        let declarations = document.matches(of: #/\| `(\w+/[\w/+.]+\.swift): ([^`]+)` \|/#)
        let table = try #require(document.firstRange(of: "## Resource limits"))
        let rows = document[table.upperBound...].prefix { $0 != "#" }.split(separator: "\n")
            .filter { $0.hasPrefix("| ") }
        // The table's head is not a limit.
        #expect(declarations.count == rows.count - 1)
        for declaration in declarations {
            let (_, file, text) = declaration.output
            let source = try #require(try Self.text("Sources/" + file), "there is no Sources/\(file)")
            // The text must not continue after the value.
            let isDeclared = source.ranges(of: text).contains { range in
                source[range.upperBound...].first.map { !$0.isLetter && !$0.isNumber && $0 != "_" } ?? true
            }
            #expect(isDeclared, "Sources/\(file) does not declare \(text)")
        }
    }

    @Test("the README and CONTRIBUTING link to both documents", arguments: ["README.md", "CONTRIBUTING.md"])
    func links(file: String) throws {
        let text = try #require(try Self.text(file))
        for document in [Self.path, "SECURITY.md"] {
            #expect(text.contains("](\(document))"), "\(file) does not link to \(document)")
        }
    }
}
