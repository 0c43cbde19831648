// SPDX-License-Identifier: Apache-2.0

import LogModel
import RotatingFile
import TextFormats

/// Writes lines, and pieces of lines, in the format that was chosen.
struct LineFormat {
    private let format: TailOptions.Format
    private let hasTimestamps: Bool
    private let isDisplayed: Bool
    private var stamp: [UInt8] = []
    private var stampTime: Timestamp?

    init(_ options: TailOptions) {
        format = options.format
        hasTimestamps = options.hasTimestamps
        isDisplayed = options.isDisplayed
    }

    mutating func append(_ piece: LineSplitter.Piece, to out: inout [UInt8]) {
        switch format {
        case .raw:
            if hasTimestamps, piece.beginsLine {
                append(piece.time, to: &out)
                out.append(UInt8(ascii: " "))
            }
            appendContent(piece, to: &out)
        case .cri:
            append(piece.time, to: &out)
            out.append(contentsOf: piece.endsLine ? " stdout F ".utf8 : " stdout P ".utf8)
            appendContent(piece, to: &out)
        case .json:
            out.append(contentsOf: #"{"time":""#.utf8)
            append(piece.time, to: &out)
            out.append(contentsOf: #"","text":"#.utf8)
            let isExact = appendText(piece, to: &out) { !JSONText.append($0, to: &$1) }
            if !isExact {
                out.append(contentsOf: #","bytes_b64":""#.utf8)
                Base64.append(piece.content, to: &out)
                out.append(UInt8(ascii: "\""))
            }
            out.append(contentsOf: piece.endsLine ? "}".utf8 : #","partial":true}"#.utf8)
        case .logfmt:
            out.append(contentsOf: "time=".utf8)
            append(piece.time, to: &out)
            out.append(contentsOf: " msg=".utf8)
            let isExact = appendText(piece, to: &out) { !LogfmtText.append($0, to: &$1) }
            if !isExact {
                out.append(contentsOf: " bytes_b64=".utf8)
                Base64.append(piece.content, to: &out)
            }
            out.append(contentsOf: piece.endsLine ? "".utf8 : " partial=true".utf8)
        }
        if format != .raw || piece.endsLine {
            out.append(Lines.feed)
        }
    }

    /// A gap in its place; only json and logfmt have a form for it.
    mutating func append(_ gap: FollowGap, at time: Timestamp, to out: inout [UInt8]) {
        switch format {
        case .raw, .cri:
            return
        case .json:
            out.append(contentsOf: #"{"time":""#.utf8)
            append(time, to: &out)
            out.append(contentsOf: #"","event":"gap""#.utf8)
            out.append(contentsOf: (gap.bytes.map { #","bytes":\#($0)"# } ?? "").utf8)
            out.append(contentsOf: #","reason":"\#(gap.reason)"}"#.utf8)
        case .logfmt:
            out.append(contentsOf: "time=".utf8)
            append(time, to: &out)
            out.append(contentsOf: #" event=gap reason="\#(gap.reason)""#.utf8)
            out.append(contentsOf: (gap.bytes.map { " bytes=\($0)" } ?? "").utf8)
        }
        out.append(Lines.feed)
    }

    /// RFC 3339 with nanoseconds, as in CRI logs.
    private mutating func append(_ time: Timestamp, to out: inout [UInt8]) {
        if time != stampTime {
            stampTime = time
            stamp = Array(time.description.utf8.dropLast()) + Array("000Z".utf8)
        }
        out.append(contentsOf: stamp)
    }

    private func appendContent(_ piece: LineSplitter.Piece, to out: inout [UInt8]) {
        if isDisplayed {
            DisplayedLine.append(piece.row ?? piece.content, sets: piece.sets, color: false, to: &out)
        } else {
            out.append(contentsOf: piece.content)
        }
    }

    /// Appends the content as a value, without the CR of the line's end; false when the value does not have all of its
    /// bytes.
    private func appendText(
        _ piece: LineSplitter.Piece,
        to out: inout [UInt8],
        _ append: (UnsafeRawBufferPointer, inout [UInt8]) -> Bool
    ) -> Bool {
        let content = piece.content
        // Within a line a CR is text.
        let hasReturn = piece.endsLine && content.last == UInt8(ascii: "\r")
        let text = UnsafeRawBufferPointer(rebasing: content[..<(content.count - (hasReturn ? 1 : 0))])
        guard isDisplayed, piece.row != nil || !DisplayedLine.isPlain(text) else {
            return append(text, &out)
        }
        var displayed: [UInt8] = []
        DisplayedLine.append(piece.row ?? text, sets: piece.sets, color: false, to: &displayed)
        return displayed.withUnsafeBytes { append($0, &out) } && displayed.elementsEqual(text)
    }
}
