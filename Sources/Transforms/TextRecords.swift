// SPDX-License-Identifier: Apache-2.0

import LogModel
import TextFormats

/// The records of one text, parsed one after another: programs whose output is mixed leave a few in one.
///
/// What follows a quote without an end may be from inside of it, and so what a guest printed. The records there are
/// claimed: they name neither their VM nor their time.
struct TextRecords {
    private let format: RecordFormat
    private let flattens: Bool
    private let now: Timestamp
    private var offset = 0
    private var count = 0
    private var isClaimed = false

    /// Maximum number of records in one text: the text is copied, and the fields beside it are repeated, for each.
    static let limit = 100

    /// The records of a text that was read at `now`.
    init(_ format: RecordFormat, flattens: Bool, readAt now: Timestamp) {
        self.format = format
        self.flattens = flattens
        self.now = now
    }

    /// Parses the next record of `text` into fields of `record`, whose buffer contains the text at `base`; returns whether
    /// it is the last one.
    mutating func parseNext(of text: UnsafeRawBufferPointer, at base: Int, into record: inout RecordBuffer) -> Bool {
        record.hasOpenQuote = false
        offset = format.parse(
            text,
            from: offset,
            at: base,
            readAt: now,
            into: &record,
            flattens: flattens,
            isClaimed: isClaimed
        )
        isClaimed = isClaimed || record.hasOpenQuote
        count += 1
        let rest = text.indices.dropFirst(offset).first { text[$0] > 0x20 }
        guard count == Self.limit, let rest else {
            return rest == nil
        }
        // What is left of the text is kept.
        record.mark(.manyRecords, unparsed: text[rest...])
        return true
    }
}
