/// An attribute, and where it stands.
struct XMLAttribute: Sendable {
    let name: String
    /// The value, its references resolved.
    let value: String
    /// What is between the quotes.
    let valueRange: Range<Int>
    let quote: UInt8
}

/// An element, and where it stands. All ranges but `descendants` are of bytes.
struct XMLElement: Sendable {
    let name: String
    /// How many elements this one is inside of.
    let depth: Int
    let startTag: Range<Int>
    let attributes: [XMLAttribute]
    /// Where another attribute would be put.
    let attributesEnd: Int
    /// Empty where the start tag, `<name/>`, is the end as well.
    var endTag: Range<Int>
    /// The places in the document's list of the elements inside of this one.
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

/// Bytes to put in place of others.
struct XMLEdit {
    let range: Range<Int>
    let replacement: [UInt8]
}

/// A document as its bytes and where in them its elements are. Looking among an element's children takes time in
/// proportion to all that is inside of it.
struct XMLDocument: Sendable {
    let text: [UInt8]
    private let elements: [XMLElement]

    init(_ text: [UInt8]) throws(DomainXMLError) {
        self.text = text
        elements = try XMLScanner.elements(of: text)
    }

    /// The outermost element.
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

    /// The LF or CR LF that ends the line `position` is on, when only spaces and tabs are before it.
    func lineEnd(after position: Int) -> Range<Int>? {
        let rest = text[position...].drop(while: Self.isBlank)
        for end in ["\n", "\r\n"] where rest.starts(with: end.utf8) {
            return rest.startIndex..<rest.startIndex + end.utf8.count
        }
        return nil
    }

    /// The whole lines that `element` is on, when there is nothing else on them.
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
