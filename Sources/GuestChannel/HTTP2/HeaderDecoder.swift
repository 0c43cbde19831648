// SPDX-License-Identifier: Apache-2.0

/// Decodes header blocks of one HTTP/2 connection (HPACK, RFC 7541), in limited memory.
struct HeaderDecoder: Sendable {
    typealias Field = HTTP2Event.Field

    /// The fields that were sent before, newest first.
    private var dynamic: [Field] = []
    private var dynamicSize = 0
    private var dynamicLimit = HeaderDecoder.tableLimit

    /// The table's size that this end announces by saying nothing (RFC 9113, section 6.5.2).
    private static let tableLimit = 4096
    /// Maximum size of all fields of a block.
    private static let blockLimit = 16 << 10
    /// What a field costs in the table besides its bytes (section 4.1).
    private static let overhead = 32

    /// The fields of a block.
    mutating func decode(_ block: [UInt8]) throws(HTTP2Error) -> [Field] {
        var fields: [Field] = []
        var rest = block[...]
        var size = 0
        while let first = rest.first {
            switch first {
            case 0x80...:
                fields.append(try field(at: try Self.integer(&rest, bits: 7)))
            case 0x40..<0x80:
                let field = try literal(&rest, bits: 6)
                insert(field)
                fields.append(field)
            case 0x20..<0x40:
                let limit = try Self.integer(&rest, bits: 5)
                guard limit <= Self.tableLimit else {
                    throw .malformed("a header table of \(limit) bytes")
                }
                dynamicLimit = limit
                evict()
            default:
                fields.append(try literal(&rest, bits: 4))
            }
            size += fields.last.map { $0.name.utf8.count + $0.value.utf8.count } ?? 0
            guard size <= Self.blockLimit else {
                throw .malformed("headers of more than \(Self.blockLimit) bytes")
            }
        }
        return fields
    }

    private mutating func literal(_ rest: inout ArraySlice<UInt8>, bits: Int) throws(HTTP2Error) -> Field {
        let index = try Self.integer(&rest, bits: bits)
        let name = index == 0 ? try Self.string(&rest) : try field(at: index).name
        return Field(name: name, value: try Self.string(&rest))
    }

    private func field(at index: Int) throws(HTTP2Error) -> Field {
        if (1...Self.fixed.count).contains(index) {
            return Self.fixed[index - 1]
        }
        let dynamicIndex = index - Self.fixed.count - 1
        guard dynamic.indices.contains(dynamicIndex) else {
            throw .malformed("header field \(index) is unknown")
        }
        return dynamic[dynamicIndex]
    }

    private mutating func insert(_ field: Field) {
        dynamic.insert(field, at: 0)
        dynamicSize += Self.cost(of: field)
        evict()
    }

    private mutating func evict() {
        while dynamicSize > dynamicLimit, let last = dynamic.popLast() {
            dynamicSize -= Self.cost(of: last)
        }
    }

    private static func cost(of field: Field) -> Int { field.name.utf8.count + field.value.utf8.count + overhead }

    /// An integer with a prefix of so many bits (section 5.1).
    private static func integer(_ rest: inout ArraySlice<UInt8>, bits: Int) throws(HTTP2Error) -> Int {
        let mask = 1 << bits - 1
        guard let first = rest.popFirst() else {
            throw .malformed("a header block ends early")
        }
        var value = Int(first) & mask
        guard value == mask else {
            return value
        }
        for shift in stride(from: 0, to: 28, by: 7) {
            guard let byte = rest.popFirst() else {
                throw .malformed("a header block ends early")
            }
            value += Int(byte & 0x7f) << shift
            if byte < 0x80 {
                return value
            }
        }
        throw .malformed("a number in a header block is too large")
    }

    private static func string(_ rest: inout ArraySlice<UInt8>) throws(HTTP2Error) -> String {
        let isCoded = rest.first.map { $0 & 0x80 != 0 } ?? false
        let length = try integer(&rest, bits: 7)
        guard length <= rest.count else {
            throw .malformed("a header block ends early")
        }
        let bytes = rest.prefix(length)
        rest = rest.dropFirst(length)
        guard isCoded else {
            return String(decoding: bytes, as: UTF8.self)
        }
        guard let decoded = HuffmanDecoder.decode(bytes) else {
            throw .malformed("a header string is not in HPACK's code")
        }
        return String(decoding: decoded, as: UTF8.self)
    }

    /// The fields that every connection knows (appendix A).
    private static let fixed: [Field] = {
        let text = """
            :authority|:method=GET|:method=POST|:path=/|:path=/index.html|:scheme=http|:scheme=https|:status=200|\
            :status=204|:status=206|:status=304|:status=400|:status=404|:status=500|accept-charset|\
            accept-encoding=gzip, deflate|accept-language|accept-ranges|accept|access-control-allow-origin|age|allow|\
            authorization|cache-control|content-disposition|content-encoding|content-language|content-length|\
            content-location|content-range|content-type|cookie|date|etag|expect|expires|from|host|if-match|\
            if-modified-since|if-none-match|if-range|if-unmodified-since|last-modified|link|location|max-forwards|\
            proxy-authenticate|proxy-authorization|range|referer|refresh|retry-after|server|set-cookie|\
            strict-transport-security|transfer-encoding|user-agent|vary|via|www-authenticate
            """
        return text.split(separator: "|").map { entry in
            let parts = entry.split(separator: "=", maxSplits: 1)
            return Field(name: String(parts[0]), value: parts.count > 1 ? String(parts[1]) : "")
        }
    }()
}
