import LogModel

/// The body of an answer that can be gone on with when its connection breaks: pieces, each with a line before it that
/// says how many bytes it has and the cursor behind it, `LENGTH CURSOR\n`.
enum ResumableAnswer {
    /// A piece, as it stands in the body.
    static func piece(_ bytes: [UInt8], cursor: String) -> [UInt8] {
        Array("\(bytes.count) \(cursor)\n".utf8) + bytes
    }

    /// Takes a body apart into its pieces, however it was cut on its way.
    struct Reader {
        private var received: [UInt8] = []

        /// Takes more of the body, and hands each piece that is whole now, with the cursor behind it, to `body`. Throws
        /// `APIError` when that is no such body.
        mutating func take(_ bytes: [UInt8], _ body: ([UInt8], String) throws -> Void) throws {
            received += bytes
            while let feed = received.firstIndex(of: Lines.feed) {
                let words = received[..<feed].split(separator: UInt8(ascii: " "), maxSplits: 1)
                guard words.count == 2, let count = Int(String(decoding: words[0], as: UTF8.self)), count >= 0 else {
                    throw APIError(502, "the daemon's answer cannot be read: it is of another version")
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
