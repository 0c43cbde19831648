// SPDX-License-Identifier: Apache-2.0

/// A libvirt domain's XML (https://libvirt.org/formatdomain.html), edited with minimal changes and otherwise kept byte
/// for byte.
///
/// Edits concern the `<log>` of the domain's serial console: of the first `<serial>` in `<devices>`, and of the first
/// `<console>` there that represents it. To libvirt both are one device: it writes the serial's settings over the
/// console's, or makes the serial from a console without one; so both are made to agree. A console's `<target>`
/// decides: of type `serial`, or absent, it is the serial device; any other type, such as `virtio`, is another device.
///
/// Time and memory are linear in the size of the text, which is not limited; elements may be nested 256 deep.
public struct DomainXML: Sendable {
    /// The result of an edit.
    public enum Change: Hashable, Sendable {
        /// A `<log>` was added.
        case added
        /// An existing one was changed, and nothing had to be added.
        case changed
        /// Everything was as requested; no byte was changed.
        case alreadyThere
        /// The `<log>` was removed.
        case removed
        /// There was none; no byte was changed.
        case notThere
    }

    private(set) var document: XMLDocument

    /// Parses `text`, UTF-8 with or without a byte order mark. Throws `malformed` for malformed XML, `documentType`,
    /// and `notDomain`.
    public init(_ text: [UInt8]) throws(DomainXMLError) {
        document = try XMLDocument(text)
        guard document.root.name == "domain" else {
            throw .notDomain
        }
    }

    /// The edited XML.
    public var text: [UInt8] { document.text }

    /// The domain's name, its references resolved.
    public var name: String? {
        document.children(of: document.root, named: "name").first?.text
    }

    /// The domain's UUID as written. libvirt assigns one to a domain without.
    public var uuid: String? {
        document.children(of: document.root, named: "uuid").first?.text
    }

    /// The file of the serial console's log, if it has one.
    public var logFile: String? {
        serialConsole.lazy.compactMap { document.children(of: $0, named: "log").first?.attribute("file")?.value }.first
    }

    /// Adds a log of the serial console in `file`, which is appended to at each start of the domain.
    ///
    /// In an existing `<log>` only values that differ are changed. A new one is inserted after the `<source>`, or else
    /// at the front, on a line of its own if its neighbour has one.
    ///
    /// With `serialOnly` the `<console>` that represents a `<serial>` is left alone; libvirt gives it the same log.
    ///
    /// Throws `invalidPath` unless `file` is absolute and free of control characters, `noDevices` and `noSerial`
    /// without a serial console, and `alreadyFile`; then the text is unchanged.
    public mutating func addLog(file: String, serialOnly: Bool = false) throws(DomainXMLError) -> Change {
        try Self.checkPath(file)
        let devices = serialOnly ? Array(serialConsole.prefix(1)) : serialConsole
        guard let leading = devices.first else {
            throw devicesElements.isEmpty ? .noDevices : .noSerial
        }
        guard leading.attribute("type")?.value != "file" else {
            throw .alreadyFile
        }
        let wanted = [("file", file), ("append", "on")]
        var edits: [XMLEdit] = []
        var isAdded = false
        for device in devices {
            if let log = document.children(of: device, named: "log").first {
                edits += Self.setting(wanted, on: log)
            } else {
                edits.append(insertion(of: Self.element("log", with: wanted), into: device))
                isAdded = true
            }
        }
        guard !edits.isEmpty else {
            return .alreadyThere
        }
        document = try document.applying(edits)
        return isAdded ? .added : .changed
    }

    /// Removes the serial console's `<log>`, with its line if it has one of its own. A device without other contents
    /// becomes self-closing.
    ///
    /// This reverts an `addLog` that added, to the byte; but `<serial></serial>` becomes `<serial/>`. A domain without
    /// a serial console has no log: that is not an error.
    public mutating func removeLog() throws(DomainXMLError) -> Change {
        let edits = serialConsole.flatMap(removal)
        guard !edits.isEmpty else {
            return .notThere
        }
        document = try document.applying(edits)
        return .removed
    }

    // MARK: The devices

    /// libvirt reads the devices of all `<devices>` elements.
    private var devicesElements: [XMLElement] {
        document.children(of: document.root, named: "devices")
    }

    /// The elements that represent the serial console: the `<serial>`, if any, before the `<console>`, if any.
    private var serialConsole: [XMLElement] {
        let serials = devicesElements.lazy.flatMap { document.children(of: $0, named: "serial") }
        let consoles = devicesElements.lazy.flatMap { document.children(of: $0, named: "console") }
        return [serials.first, consoles.first(where: document.isSerial(console:))].compactMap(\.self)
    }

    private static func checkPath(_ path: String) throws(DomainXMLError) {
        guard path.unicodeScalars.allSatisfy({ $0.properties.generalCategory != .control && XMLText.allows($0) }) else {
            throw .invalidPath(reason: "its path contains a control character; choose another path")
        }
        guard path.utf8.first == UInt8(ascii: "/") else {
            throw .invalidPath(reason: "its path is not absolute; begin it with '/'")
        }
    }

    // MARK: The edits

    private static func element(_ name: String, with attributes: [(String, String)]) -> [UInt8] {
        Array("<\(name)".utf8) + attributes.flatMap { written($0, quote: UInt8(ascii: "'")) } + Array("/>".utf8)
    }

    private static func written(_ attribute: (name: String, value: String), quote: UInt8) -> [UInt8] {
        Array(" \(attribute.name)=".utf8) + [quote] + XMLText.escape(attribute.value, quote: quote) + [quote]
    }

    /// The edits that give the attributes of `element` the `wanted` values; empty when they have them.
    private static func setting(_ wanted: [(name: String, value: String)], on element: XMLElement) -> [XMLEdit] {
        let quote = element.attributes.last?.quote ?? UInt8(ascii: "'")
        var edits: [XMLEdit] = []
        var missing: [UInt8] = []
        for (name, value) in wanted {
            guard let attribute = element.attribute(name) else {
                missing += written((name, value), quote: quote)
                continue
            }
            // Not `==`, for which composed and decomposed letters are equal: for a file system they are not.
            if !attribute.value.utf8.elementsEqual(value.utf8) {
                let replacement = XMLText.escape(value, quote: attribute.quote)
                edits.append(XMLEdit(range: attribute.valueRange, replacement: replacement))
            }
        }
        if !missing.isEmpty {
            edits.append(XMLEdit(range: element.attributesEnd..<element.attributesEnd, replacement: missing))
        }
        return edits
    }

    private func insertion(of log: [UInt8], into device: XMLElement) -> XMLEdit {
        guard !device.isSelfClosing else {
            let end = device.startTag.upperBound
            let opened = Array(">".utf8) + log + Array("</\(device.name)>".utf8)
            return XMLEdit(range: end - "/>".utf8.count..<end, replacement: opened)
        }
        let source = document.children(of: device, named: "source").last
        let offset = source?.range.upperBound ?? device.startTag.upperBound
        guard
            let neighbour = source ?? document.firstChild(of: device),
            let indentation = document.indentation(of: neighbour),
            let lineEnd = document.lineEnd(after: offset)
        else {
            return XMLEdit(range: offset..<offset, replacement: log)
        }
        let nextLine = lineEnd.upperBound
        return XMLEdit(range: nextLine..<nextLine, replacement: indentation + log + text[lineEnd])
    }

    private func removal(from device: XMLElement) -> [XMLEdit] {
        let ranges = document.children(of: device, named: "log").map { document.lines(of: $0) ?? $0.range }
        let removed = ranges.reduce(0) { $0 + $1.count }
        guard removed > 0, removed == device.content.count else {
            return ranges.map { XMLEdit(range: $0, replacement: []) }
        }
        let emptied = device.startTag.upperBound - ">".utf8.count..<device.endTag.upperBound
        return [XMLEdit(range: emptied, replacement: Array("/>".utf8))]
    }
}
