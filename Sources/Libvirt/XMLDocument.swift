// SPDX-License-Identifier: Apache-2.0

/// An attribute and its position.
struct XMLAttribute: Sendable {
    let name: String
    /// The value, its references resolved.
    let value: String
    /// The range between the quotes.
    let valueRange: Range<Int>
    let quote: UInt8
}

/// An element and its position. All ranges but `descendants` are of bytes.
struct XMLElement: Sendable {
    let name: String
    let depth: Int
    let startTag: Range<Int>
    let attributes: [XMLAttribute]
    /// The position for another attribute.
    let attributesEnd: Int
    /// Empty where the start tag, `<name/>`, is the end as well.
    var endTag: Range<Int>
    /// The indexes of the elements inside this one in the document's list.
    var descendants: Range<Int>
    /// The text directly inside, its references resolved.
    var text = ""

    var range: Range<Int> { startTag.lowerBound..<endTag.upperBound }
    var content: Range<Int> { startTag.upperBound..<endTag.lowerBound }
    var isSelfClosing: Bool { endTag.isEmpty }

    func attribute(_ name: String) -> XMLAttribute? {
        attributes.first { $0.name == name }
    }
}

/// A replacement of bytes.
struct XMLEdit {
    let range: Range<Int>
    let replacement: [UInt8]
}

/// A document: its bytes and the positions of its elements. Searching an element's children takes time in proportion to
/// all its descendants.
struct XMLDocument: Sendable {
    let text: [UInt8]
    private let elements: [XMLElement]

    init(_ text: [UInt8]) throws(DomainXMLError) {
        self.text = text
        elements = try XMLScanner.elements(of: text)
    }

    /// The root element.
    var root: XMLElement { elements[0] }

    func children(of parent: XMLElement) -> [XMLElement] {
        elements[parent.descendants].filter { $0.depth == parent.depth + 1 }
    }

    func children(of parent: XMLElement, named name: String) -> [XMLElement] {
        elements[parent.descendants].filter { $0.depth == parent.depth + 1 && $0.name == name }
    }

    func firstChild(of parent: XMLElement) -> XMLElement? {
        elements[parent.descendants].first
    }

    /// The document after `edits`, which must not overlap.
    func applying(_ edits: [XMLEdit]) throws(DomainXMLError) -> XMLDocument {
        var edited: [UInt8] = []
        var position = 0
        for edit in edits.sorted(by: { $0.range.lowerBound < $1.range.lowerBound }) {
            edited += text[position..<edit.range.lowerBound]
            edited += edit.replacement
            position = edit.range.upperBound
        }
        return try XMLDocument(edited + text[position...])
    }

    // MARK: Lines

    /// The spaces and tabs before `element`, when there is nothing else before it on its line.
    func indentation(of element: XMLElement) -> ArraySlice<UInt8>? {
        let before = text[..<element.range.lowerBound]
        let line = before.lastIndex { !Self.isBlank($0) }.map { $0 + 1 } ?? 0
        guard line == 0 || text[line - 1] == UInt8(ascii: "\n") else {
            return nil
        }
        return before[line...]
    }

    /// The LF or CR LF that ends the line with `position`, when only spaces and tabs are before it.
    func lineEnd(after position: Int) -> Range<Int>? {
        let rest = text[position...].drop(while: Self.isBlank)
        for end in ["\n", "\r\n"] where rest.starts(with: end.utf8) {
            return rest.startIndex..<rest.startIndex + end.utf8.count
        }
        return nil
    }

    /// The whole lines with `element`, when there is nothing else on them.
    func lines(of element: XMLElement) -> Range<Int>? {
        guard let indentation = indentation(of: element), let end = lineEnd(after: element.range.upperBound) else {
            return nil
        }
        return indentation.startIndex..<end.upperBound
    }

    private static func isBlank(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t")
    }
}
