// SPDX-License-Identifier: Apache-2.0

/// Parses an XML document into its elements, in one pass and without recursion.
///
/// It accepts XML 1.0 except for document types, and a little more: it neither parses comments and processing
/// instructions nor detects duplicate attributes; libvirt itself will. Elements are identified by their qualified
/// names; namespaces are not resolved.
struct XMLScanner {
    /// Maximum depth of nesting. Domains need less than ten, except in `<metadata>`.
    static let maximumDepth = 256

    private let text: [UInt8]
    private var position = 0
    private var elements: [XMLElement] = []
    /// The indexes in `elements` of unclosed elements, outermost first.
    private var open: [Int] = []

    /// The elements of `text` in the order of their start tags: the root is the first, and always exists.
    static func elements(of text: [UInt8]) throws(DomainXMLError) -> [XMLElement] {
        var scanner = XMLScanner(text: text)
        try scanner.checkCharacters()
        try scanner.scan()
        return scanner.elements
    }

    private init(text: [UInt8]) {
        self.text = text
    }

    private func checkCharacters() throws(DomainXMLError) {
        do throws(UTF8.ValidationError) {
            _ = try UTF8Span(validating: text.span)
        } catch {
            throw .malformed(offset: error.byteOffsets.lowerBound, what: "not UTF-8")
        }
        if let offset = text.firstIndex(where: { !XMLText.allows(Unicode.Scalar($0)) }) {
            throw .malformed(offset: offset, what: "a control character")
        }
    }

    private mutating func scan() throws(DomainXMLError) {
        _ = take("\u{feff}")
        while let byte = current {
            if byte == UInt8(ascii: "<") {
                try markup()
            } else {
                try characters()
            }
        }
        if let index = open.last {
            throw .malformed(offset: elements[index].startTag.lowerBound, what: "an element is not closed")
        }
        if elements.isEmpty {
            throw .malformed(offset: position, what: "there is no element")
        }
    }

    // MARK: Tags

    private mutating func markup() throws(DomainXMLError) {
        let start = position
        if take("<!--") {
            _ = try skip(past: "-->", endOf: "a comment")
        } else if take("<?") {
            _ = try skip(past: "?>", endOf: "a processing instruction")
        } else if take("<![CDATA[") {
            let section = try skip(past: "]]>", endOf: "a CDATA section")
            try append(String(decoding: text[section], as: UTF8.self), from: start)
        } else if take("<!DOCTYPE") {
            throw .documentType(offset: start)
        } else if take("</") {
            try endTag(from: start)
        } else {
            position += 1
            try startTag(from: start)
        }
    }

    private mutating func startTag(from start: Int) throws(DomainXMLError) {
        guard open.count < Self.maximumDepth else {
            throw .malformed(offset: start, what: "elements are nested deeper than \(Self.maximumDepth)")
        }
        guard !open.isEmpty || elements.isEmpty else {
            throw .malformed(offset: start, what: "a second root element")
        }
        let name = try name()
        let attributes = try attributes()
        let isEmpty = take("/")
        try expect(">", in: "a tag")
        let index = elements.count
        elements.append(
            XMLElement(
                name: String(decoding: text[name], as: UTF8.self),
                depth: open.count,
                startTag: start..<position,
                attributes: attributes,
                attributesEnd: attributes.last.map { $0.valueRange.upperBound + 1 } ?? name.upperBound,
                endTag: position..<position,
                descendants: index + 1..<index + 1
            )
        )
        if !isEmpty {
            open.append(index)
        }
    }

    private mutating func endTag(from start: Int) throws(DomainXMLError) {
        let name = try name()
        skipSpace()
        try expect(">", in: "a tag")
        guard let index = open.popLast(), elements[index].name.utf8.elementsEqual(text[name]) else {
            throw .malformed(offset: start, what: "an end tag does not match the open element")
        }
        elements[index].endTag = start..<position
        elements[index].descendants = index + 1..<elements.count
    }

    private mutating func attributes() throws(DomainXMLError) -> [XMLAttribute] {
        var attributes: [XMLAttribute] = []
        while skipSpace(), let byte = current, byte != UInt8(ascii: ">"), byte != UInt8(ascii: "/") {
            attributes.append(try attribute())
        }
        return attributes
    }

    private mutating func attribute() throws(DomainXMLError) -> XMLAttribute {
        let name = try name()
        skipSpace()
        try expect("=", in: "an attribute")
        skipSpace()
        guard let quote = current, quote == UInt8(ascii: "'") || quote == UInt8(ascii: "\"") else {
            throw .malformed(offset: position, what: "an attribute's value has no quotes")
        }
        position += 1
        let start = position
        while let byte = current, byte != quote, byte != UInt8(ascii: "<") {
            position += 1
        }
        guard current == quote else {
            throw .malformed(offset: start, what: "an attribute's value is not terminated")
        }
        defer { position += 1 }
        return XMLAttribute(
            name: String(decoding: text[name], as: UTF8.self),
            value: try XMLText.resolve(text[start..<position]),
            valueRange: start..<position,
            quote: quote
        )
    }

    private mutating func name() throws(DomainXMLError) -> Range<Int> {
        let start = position
        while let byte = current, Self.isNameByte(byte) {
            position += 1
        }
        guard start < position, !"-.0123456789".utf8.contains(text[start]) else {
            throw .malformed(offset: start, what: "a name was expected")
        }
        return start..<position
    }

    /// Whether `byte` may be in a name. All non-ASCII bytes may, which is more than XML allows.
    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        case UInt8(ascii: "0")...UInt8(ascii: ":"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"): true
        default: byte >= 0x80
        }
    }

    // MARK: Text

    private mutating func characters() throws(DomainXMLError) {
        let start = position
        while let byte = current, byte != UInt8(ascii: "<") {
            position += 1
        }
        try append(try XMLText.resolve(text[start..<position]), from: start)
    }

    /// Adds `text` to the innermost open element; outside the root only white space is allowed.
    private mutating func append(_ text: String, from start: Int) throws(DomainXMLError) {
        if let index = open.last {
            elements[index].text += text
        } else if !text.utf8.allSatisfy(Self.isSpace) {
            throw .malformed(offset: start, what: "text outside the root element")
        }
    }

    // MARK: Bytes

    private var current: UInt8? { position < text.count ? text[position] : nil }

    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x09 || byte == 0x0a || byte == 0x0d
    }

    /// Skips white space; returns whether there was any.
    @discardableResult
    private mutating func skipSpace() -> Bool {
        let start = position
        while let byte = current, Self.isSpace(byte) {
            position += 1
        }
        return position > start
    }

    private mutating func take(_ word: String) -> Bool {
        guard text[position...].starts(with: word.utf8) else {
            return false
        }
        position += word.utf8.count
        return true
    }

    private mutating func expect(_ word: String, in what: String) throws(DomainXMLError) {
        guard take(word) else {
            throw .malformed(offset: position, what: "\(what) has no '\(word)'")
        }
    }

    /// Skips past the next `end` and returns the range before it.
    private mutating func skip(past end: String, endOf what: String) throws(DomainXMLError) -> Range<Int> {
        let start = position
        while position < text.count {
            let stop = position
            if take(end) {
                return start..<stop
            }
            position += 1
        }
        throw .malformed(offset: start, what: "\(what) is not terminated")
    }
}
