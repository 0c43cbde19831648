// SPDX-License-Identifier: Apache-2.0

import TextFormats

/// The latest messages of a source, and how often each program has written them: finds the second copy of what a
/// program writes into the journal and its parent repeats there from its standard error, as the Kata runtime and
/// containerd do.
///
/// Of each message as many are kept as the program that wrote it most often has written. Memory is limited: after
/// `limit` messages the older half is forgotten, and of each message few programs are known.
struct RecentMessages: Sendable {
    private typealias Counts = [UInt64: [UInt64: Int]]

    private var newer: Counts = [:]
    private var older: Counts = [:]
    private static let limit = 4096
    private static let programLimit = 8
    private static let message = Array("MESSAGE".utf8)
    private static let identifier = Array("SYSLOG_IDENTIFIER".utf8)

    /// Whether the record is a copy of one of another program. Records without a message or a program are none.
    mutating func isCopy(_ record: RecordBuffer) -> Bool {
        guard let text = record.value(of: Self.message), let program = record.value(of: Self.identifier) else {
            return false
        }
        let message = Self.hash(text)
        var counts = newer[message] ?? older[message] ?? [:]
        let most = counts.values.max() ?? 0
        let known = counts[Self.hash(program)]
        let count = (known ?? 0) + 1
        if known != nil || counts.count < Self.programLimit {
            counts[Self.hash(program)] = count
        }
        newer[message] = counts
        if newer.count >= Self.limit / 2 {
            older = newer
            newer = [:]
        }
        return count <= most
    }

    /// FNV-1a of the text without white space at its end, which one of the programs adds.
    private static func hash(_ text: ArraySlice<UInt8>) -> UInt64 {
        let end = text.lastIndex { $0 > 0x20 }.map { $0 + 1 } ?? text.startIndex
        return text[..<end].reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }
}
