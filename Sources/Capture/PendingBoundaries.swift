// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore

/// An event between two bytes of a console, as seen by the transport: the begin or end of a boot, or of a time without
/// capture.
public enum ConsoleBoundary: Hashable, Sendable {
    case boot(BootEvent)
    /// The console was not read for a while, for that reason; how much output is missing is unknown.
    case absence(GapReason)
}

/// Boundaries whose markers are not yet written, oldest first, in one word of a ring's slot, so that they outlive the
/// process: a byte each, at most eight. Beyond that the oldest is dropped, because the last matter most.
struct PendingBoundaries: Hashable {
    private(set) var word: UInt64

    private static let bitsEach: UInt64 = 8

    /// The boundaries in `word`; invalid bytes, as in a damaged ring, are ignored.
    init(word: UInt64 = 0) {
        self.word = 0
        for index in (0..<UInt64(8)).reversed() where word != 0 {
            if let boundary = ConsoleBoundary(code: word >> (index * Self.bitsEach) & 0xff) {
                append(boundary)
            }
        }
    }

    var isEmpty: Bool { word == 0 }

    /// Whether another one would drop the oldest.
    var isFull: Bool { word >> (7 * Self.bitsEach) != 0 }

    var first: ConsoleBoundary? {
        guard let index = lastIndex else {
            return nil
        }
        let code = word >> (index * Self.bitsEach) & 0xff
        return ConsoleBoundary(code: code)
    }

    mutating func append(_ boundary: ConsoleBoundary) {
        word = word << Self.bitsEach | boundary.code
    }

    /// Adds a boundary before the others: it is the oldest, and is dropped if there are eight.
    mutating func prepend(_ boundary: ConsoleBoundary) {
        let index = lastIndex.map { $0 + 1 } ?? 0
        if index < 8 {
            word |= boundary.code << (index * Self.bitsEach)
        }
    }

    mutating func removeFirst() {
        guard let index = lastIndex else {
            return
        }
        word &= ~(0xff << (index * Self.bitsEach))
    }

    /// The index of the highest byte that is not 0, counted from the lowest.
    private var lastIndex: UInt64? {
        word == 0 ? nil : (63 - UInt64(word.leadingZeroBitCount)) / Self.bitsEach
    }
}

extension ConsoleBoundary {
    /// One byte, never 0: the raw value of the event or the reason.
    var code: UInt64 {
        switch self {
        case .boot(let event): UInt64(event.rawValue)
        case .absence(let reason): 0x80 | UInt64(reason.rawValue)
        }
    }

    init?(code: UInt64) {
        if code & 0x80 != 0 {
            guard let reason = GapReason(rawValue: UInt8(code & 0x7f)) else {
                return nil
            }
            self = .absence(reason)
        } else {
            guard let event = BootEvent(rawValue: UInt8(code & 0x7f)) else {
                return nil
            }
            self = .boot(event)
        }
    }
}
