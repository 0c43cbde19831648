// SPDX-License-Identifier: Apache-2.0

import LogModel
import RotatingFile

/// Turns the log's bytes into those of the output: a copy, or formatted lines.
final class LineWriter {
    private let isByLines: Bool
    private let isText: Bool
    private var splitter: LineSplitter
    private var format: LineFormat
    private var out: [UInt8] = []
    /// The bytes to be copied; valid until `take`.
    private var copied: UnsafeRawBufferPointer?
    /// Whether the output is in the midst of a line.
    private var isInLine = false

    init(_ options: TailOptions) {
        isByLines = options.isByLines
        isText = options.format == .raw
        splitter = LineSplitter(isDisplayed: options.isDisplayed)
        format = LineFormat(options)
    }

    /// Bytes of an unfinished line that are not in the output yet.
    var pendingCount: Int { splitter.pendingCount }

    /// Adds bytes that were read at `time`; they must stay valid until `take`.
    func add(_ bytes: UnsafeRawBufferPointer, at time: Timestamp) {
        guard isByLines else {
            copied = bytes
            // The follower returns no bytes for an empty file: the line before it may go on.
            isInLine = bytes.last.map { $0 != Lines.feed } ?? isInLine
            return
        }
        splitter.add(bytes, at: time) { append($0) }
    }

    /// A gap: what follows does not continue the unfinished line.
    func add(_ gap: FollowGap, at time: Timestamp) {
        guard isByLines else {
            if isInLine {
                out.append(Lines.feed)
                isInLine = false
            }
            return
        }
        splitter.flush(endsLine: true) { append($0) }
        format.append(gap, at: time, to: &out)
    }

    /// Adds the unfinished line; at the end, text with times ends with a whole line.
    func flush(isEnd: Bool = false) {
        guard isByLines else {
            return
        }
        splitter.flush { append($0) }
        if isEnd, isText, isInLine {
            out.append(Lines.feed)
        }
    }

    private func append(_ piece: LineSplitter.Piece) {
        format.append(piece, to: &out)
        isInLine = !piece.endsLine
    }

    /// Passes on what was added.
    func take(_ write: (UnsafeRawBufferPointer) -> Void) {
        if !out.isEmpty {
            out.withUnsafeBytes(write)
            out.removeAll(keepingCapacity: true)
        }
        if let bytes = copied {
            write(bytes)
            copied = nil
        }
    }
}
