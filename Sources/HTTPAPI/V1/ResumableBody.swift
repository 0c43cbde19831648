// SPDX-License-Identifier: Apache-2.0

import LogModel

/// The body of a response that can be resumed after a lost connection: pieces, each preceded by a line with its length
/// and the part of the cursor that moved with it, `LENGTH CURSOR\n`. The first one has the whole cursor.
enum ResumableBody {
    /// Encodes a piece.
    static func piece(_ bytes: [UInt8], cursor: String) -> [UInt8] {
        Array("\(bytes.count) \(cursor)\n".utf8) + bytes
    }

    /// Splits a body into its pieces, however it was divided in transit.
    struct Reader {
        private var received: [UInt8] = []

        /// Takes more of the body and passes each complete piece, with the part of the cursor that moved, to `body`. Throws
        /// `APIError` for a malformed body.
        mutating func take(_ bytes: [UInt8], _ body: ([UInt8], String) throws -> Void) throws {
            received += bytes
            while let feed = received.firstIndex(of: Lines.feed) {
                let words = received[..<feed].split(separator: UInt8(ascii: " "), maxSplits: 1)
                guard words.count == 2, let count = Int(String(decoding: words[0], as: UTF8.self)), count >= 0 else {
                    throw APIError(502, "malformed response: the daemon has another version")
                }
                guard received.count - feed - 1 >= count else {
                    return
                }
                let piece = Array(received[(feed + 1)...].prefix(count))
                let cursor = String(decoding: words[1], as: UTF8.self)
                received.removeFirst(feed + 1 + count)
                try body(piece, cursor)
            }
        }
    }
}
