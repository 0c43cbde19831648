// SPDX-License-Identifier: Apache-2.0

import LogModel

/// Collects lines, to print the last of them first.
struct ReversedLines {
    private var bytes: [UInt8] = []

    mutating func append(_ more: [UInt8]) {
        bytes += more
    }

    /// The lines, each with a line feed, in reverse order.
    var reversed: [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(bytes.count + 1)
        var end = bytes.last == Lines.feed ? bytes.count - 1 : bytes.count
        while end >= 0, !bytes.isEmpty {
            let start = bytes[..<end].lastIndex(of: Lines.feed).map { $0 + 1 } ?? 0
            out += bytes[start..<end]
            out.append(Lines.feed)
            end = start - 1
        }
        return out
    }
}
