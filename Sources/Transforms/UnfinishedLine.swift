// SPDX-License-Identifier: Apache-2.0

import TextFormats

/// The beginning of a line of a log whose end has not come; bounded in memory whatever the line is.
///
/// A log has a hole of NULs where it was truncated while its writer went on at the old place, and where it lost what was
/// not on disk in a crash. NULs before a line do not count towards its limit, and a hole inside of a line ends it: what
/// follows was written by another write.
struct UnfinishedLine: Sendable {
    /// Without the NULs before it, up to the limit.
    private(set) var text: [UInt8] = []
    /// The number of bytes of the log that it has.
    private(set) var size: UInt64 = 0
    /// Whether it is longer than the limit.
    private(set) var isCut = false
    /// The number of NULs at its end.
    private var nuls = 0

    /// So many NULs inside of a line are a hole.
    static let holeSize = 64

    init() {}

    /// Adds the bytes of `piece` from `start` on, none of which is a line feed; returns where in it a hole ends the line,
    /// nil when none does.
    mutating func add(_ piece: UnsafeRawBufferPointer, from start: Int) -> Int? {
        var start = start
        if text.isEmpty, !isCut {
            let first = Self.endOfNULs(in: piece, from: start)
            size += UInt64(first - start)
            start = first
        }
        var at = start
        while at < piece.count, let nul = piece.firstOffset(of: 0, from: at) {
            let end = Self.endOfNULs(in: piece, from: nul)
            let before = nul == start ? nuls : 0
            if before + end - nul >= Self.holeSize {
                append(UnsafeRawBufferPointer(rebasing: piece[start..<nul]))
                if !isCut {
                    text.removeLast(before)
                }
                return nul
            }
            at = end
        }
        append(UnsafeRawBufferPointer(rebasing: piece[start...]))
        return nil
    }

    private mutating func append(_ piece: UnsafeRawBufferPointer) {
        let space = RecordDecoder.lineLimit - text.count
        text.append(contentsOf: piece.prefix(space))
        isCut = isCut || piece.count > space
        size += UInt64(piece.count)
        let end = piece.reversed().prefix { $0 == 0 }.count
        nuls = end == piece.count ? nuls + end : end
    }

    private static func endOfNULs(in piece: UnsafeRawBufferPointer, from start: Int) -> Int {
        piece[start...].firstIndex { $0 != 0 } ?? piece.count
    }
}
