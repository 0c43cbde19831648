// SPDX-License-Identifier: Apache-2.0

import LogModel
import TextFormats

/// Counts of what is in Kata's logs.
public struct KataLogStatistics: Sendable {
    public internal(set) var records = 0
    public internal(set) var bytes = 0
    /// Records in which something is wrong.
    private(set) var faulty = 0
    /// The earliest and the latest time, in nanoseconds since the Unix epoch.
    public private(set) var times: ClosedRange<Int64>?
    private var levels = Counts()
    private var sources = Counts()
    private var subsystems = Counts()
    private var sandboxes = Counts()

    /// How often each of some words occurs. The number of words is limited; further ones are counted together.
    private struct Counts: Sendable {
        private var words: [Word: Int] = [:]
        private var others = 0
        private static let limit = 1000

        /// The standard library hashes arrays byte by byte.
        private struct Word: Hashable {
            let bytes: ArraySlice<UInt8>

            func hash(into hasher: inout Hasher) {
                bytes.withUnsafeBytes { hasher.combine(bytes: $0) }
            }
        }

        mutating func add(_ bytes: ArraySlice<UInt8>) {
            if let index = words.index(forKey: Word(bytes: bytes)) {
                words.values[index] += 1
            } else if words.count < Self.limit {
                words[Word(bytes: ArraySlice(Array(bytes)))] = 1
            } else {
                others += 1
            }
        }

        /// The words, most frequent first.
        var rows: [(word: String, count: Int)] {
            let sorted = words.map { (word: String(decoding: $0.key.bytes, as: UTF8.self), count: $0.value) }
                .sorted { ($1.count, $0.word) < ($0.count, $1.word) }
            return sorted + (others > 0 ? [(word: "(others)", count: others)] : [])
        }
    }

    mutating func add(_ record: RecordBuffer, hasProblem: Bool) {
        faulty += hasProblem ? 1 : 0
        if let time = record.time {
            times = times.map { min($0.lowerBound, time)...max($0.upperBound, time) } ?? time...time
        }
        count(KataFields.level, of: record, in: &levels)
        count(KataFields.source, of: record, in: &sources)
        count(KataFields.subsystem, of: record, in: &subsystems)
        count(KataFields.sandbox, of: record, in: &sandboxes)
    }

    private func count(_ name: ConstantBytes, of record: RecordBuffer, in counts: inout Counts) {
        if let value = record.value(of: name), !value.isEmpty {
            counts.add(value.prefix(256))
        }
    }

    /// Rows for a table: what is counted, and the count.
    public var rows: [[String]] {
        var rows = [["records", "\(records)"], ["records with problems", "\(faulty)"]]
        if let times {
            rows.append(["first", Timestamp.rfc3339(nanoseconds: times.lowerBound)])
            rows.append(["last", Timestamp.rfc3339(nanoseconds: times.upperBound)])
        }
        for (title, counts) in [
            ("level", levels), ("source", sources), ("subsystem", subsystems), ("sandbox", sandboxes),
        ] {
            rows += counts.rows.map { ["\(title) \($0.word)", "\($0.count)"] }
        }
        return rows
    }
}
