// SPDX-License-Identifier: Apache-2.0

import TextFormats

/// Reads HTTP/1.1 requests with bodies of any length (RFC 9112): as much as systemd-journal-upload needs, in limited
/// memory.
///
/// It is a reader of its own, and not NIO's, because a guest is identified by its connection: NIO does not tell the peer
/// of a vsock connection, and reads on while the store has no space.
struct UploadReader {
    enum Event: Equatable {
        case request(Head)
        case body([UInt8])
        case end
    }

    /// The head of a request.
    struct Head: Equatable {
        var method: String
        var path: String
        /// The fields by their names in lower case; of several with one name the last.
        var fields: [String: String]
        var isKeptAlive: Bool
    }

    private enum State: Equatable {
        case head
        case body(left: Int)
        case chunkSize
        case chunk(left: Int)
        case chunkEnd
        case trailers
        case ending
    }

    private var state = State.head
    private var buffer: [UInt8] = []
    private var start = 0

    /// Maximum size of a request's head, and of a chunk's first line and the trailers, in bytes.
    static let headLimit = 16 << 10
    /// Maximum size of a piece of body that is returned at once, in bytes.
    private static let pieceLimit = 64 << 10

    init() {}

    /// The memory of what was not returned yet, in bytes.
    var memory: Int { buffer.count }

    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        buffer.removeFirst(start)
        start = 0
        buffer.append(contentsOf: bytes)
    }

    /// What comes next; nil when more bytes are needed.
    mutating func next() throws(UploadError) -> Event? {
        while true {
            switch state {
            case .head:
                guard let head = try takeHead() else {
                    return nil
                }
                return .request(head)
            case .body(let left):
                guard left > 0 else {
                    state = .ending
                    continue
                }
                guard let piece = takePiece(left) else {
                    return nil
                }
                state = .body(left: left - piece.count)
                return .body(piece)
            case .chunkSize:
                guard let line = try takeLine() else {
                    return nil
                }
                let size = try Self.chunkSize(line)
                state = size == 0 ? .trailers : .chunk(left: size)
            case .chunk(let left):
                guard let piece = takePiece(left) else {
                    return nil
                }
                state = piece.count == left ? .chunkEnd : .chunk(left: left - piece.count)
                return .body(piece)
            case .chunkEnd:
                guard let line = try takeLine() else {
                    return nil
                }
                guard line.isEmpty else {
                    throw UploadError(400, "a chunk's size does not match its length")
                }
                state = .chunkSize
            case .trailers:
                guard let line = try takeLine() else {
                    return nil
                }
                if line.isEmpty {
                    state = .ending
                }
            case .ending:
                state = .head
                return .end
            }
        }
    }

    // MARK: - The head

    private mutating func takeHead() throws(UploadError) -> Head? {
        let window = buffer[start...].prefix(Self.headLimit)
        guard let end = window.firstIndex(of: "\r\n\r\n") else {
            guard window.count < Self.headLimit else {
                throw UploadError(431, "the head of the request is longer than \(Self.headLimit) bytes")
            }
            return nil
        }
        let lines = String(decoding: buffer[start..<end], as: UTF8.self).split(
            separator: "\r\n",
            omittingEmptySubsequences: false
        )
        start = end + 4
        let words = lines[0].split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 3, words[2].hasPrefix("HTTP/1.") else {
            throw UploadError(400, "the request line is malformed")
        }
        var fields: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":"), colon > line.startIndex else {
                throw UploadError(400, "a header field is malformed")
            }
            let value = line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
            let name = line[..<colon].lowercased()
            // Two lengths, or a length and chunks, can be read as two different requests.
            guard fields.updateValue(String(value), forKey: name) == nil || name != "content-length" else {
                throw UploadError(400, "two Content-Length fields")
            }
        }
        let isKept = words[2] == "HTTP/1.1" && fields["connection"]?.lowercased() != "close"
        state = try Self.body(of: fields)
        return Head(method: String(words[0]), path: String(words[1]), fields: fields, isKeptAlive: isKept)
    }

    private static func body(of fields: [String: String]) throws(UploadError) -> State {
        let length = fields["content-length"]
        if let coding = fields["transfer-encoding"] {
            guard coding.lowercased() == "chunked", length == nil else {
                throw UploadError(400, "the transfer coding \(coding) is not supported")
            }
            return .chunkSize
        }
        guard let length else {
            return .body(left: 0)
        }
        guard let size = Int(length), size >= 0, !length.hasPrefix("+") else {
            throw UploadError(400, "Content-Length is not a number")
        }
        return .body(left: size)
    }

    // MARK: - The body

    private mutating func takePiece(_ left: Int) -> [UInt8]? {
        let end = min(buffer.count, start + min(left, Self.pieceLimit))
        guard end > start else {
            return nil
        }
        defer { start = end }
        return Array(buffer[start..<end])
    }

    private mutating func takeLine() throws(UploadError) -> [UInt8]? {
        let window = buffer[start...].prefix(Self.headLimit)
        guard let end = window.firstIndex(of: 0x0a) else {
            guard window.count < Self.headLimit else {
                throw UploadError(400, "a line is longer than \(Self.headLimit) bytes")
            }
            return nil
        }
        defer { start = end + 1 }
        let line = buffer[start..<end]
        return line.last == 0x0d ? Array(line.dropLast()) : Array(line)
    }

    /// The size of a chunk, in hexadecimal, before any extension.
    private static func chunkSize(_ line: [UInt8]) throws(UploadError) -> Int {
        let digits = line.prefix { $0 != UInt8(ascii: ";") && $0 != UInt8(ascii: " ") }
        guard (1...15).contains(digits.count), let first = digits.first, first != UInt8(ascii: "+"),
            first != UInt8(ascii: "-"), let size = Int(String(decoding: digits, as: UTF8.self), radix: 16)
        else {
            throw UploadError(400, "the size of a chunk is malformed")
        }
        return size
    }
}

/// A request that is refused, with its status.
struct UploadError: Error, Hashable, CustomStringConvertible {
    var status: Int
    var description: String

    init(_ status: Int, _ description: String) {
        self.status = status
        self.description = description
    }
}
