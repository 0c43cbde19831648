// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import TextFormats

/// The formats for people: `text` and `short`. All guest output passes through `TerminalEscaper`, and through
/// `MarkerGuard` so that no guest line looks like a marker.
///
/// With a time or a prefix, everything a guest wrote begins after one; without, pieces of one line are joined again.
struct HumanFormat: EntryWriter {
    private let isShort: Bool
    private let isEscaped: Bool
    private let timestamps: Bool
    /// Whether VM and stream stand before each line of `text`.
    var prefix: Bool
    private let color: Bool
    private let showsMarkers: Bool
    private var clock: StampWriter
    private var eventClock: StampWriter
    private var escaper: TerminalEscaper
    private var markerGuard = MarkerGuard()
    /// Folds frames; nil where every line is shown.
    private var folder: FrameFolder?
    /// The time and the stream of the last line.
    private var lastHead: (time: Timestamp, label: StreamLabel)?
    /// A line whose LF is not written yet.
    private var open: OpenLine?

    private struct OpenLine {
        let input: Int
        /// The position at which it continues.
        let end: UInt64
        /// What is shown of a console's row before its end was received; nil for the first part of a long line.
        var row: ShownRow?
    }

    init(_ rendering: Rendering, prefix: Bool) {
        isShort = rendering.format == .short
        isEscaped = rendering.format == .escaped
        timestamps = rendering.timestamps
        self.prefix = prefix
        color = rendering.color
        showsMarkers = rendering.markers
        folder = rendering.markers && rendering.format != .escaped ? FrameFolder() : nil
        clock = StampWriter(rendering.utc ? .utc : LocalTimeWriter())
        eventClock = clock
        escaper = TerminalEscaper(style: .line(color: rendering.color))
    }

    private var hasHead: Bool { isShort || timestamps || prefix }

    mutating func append(_ line: Line, input: Int, _ label: StreamLabel, to out: inout [UInt8]) {
        append(line, input: input, label, isShownEarly: false, to: &out)
    }

    /// Appends a line that is shown before its end was received; the rest is appended to it.
    mutating func appendEarly(_ line: Line, input: Int, _ label: StreamLabel, to out: inout [UInt8]) {
        append(line, input: input, label, isShownEarly: true, to: &out)
    }

    private mutating func append(
        _ line: Line,
        input: Int,
        _ label: StreamLabel,
        isShownEarly: Bool,
        to out: inout [UInt8]
    ) {
        guard var row = open?.row, open?.input == input, open?.end == line.start.offset else {
            let continues = open.map { $0.input == input && $0.end == line.start.offset && !hasHead } ?? false
            let row = isShownEarly && line.encoding == .raw ? ShownRow(line.content, sets: line.sets) : nil
            return append(line, input: input, label, isContinuation: continues, row, end: line.end, to: &out)
        }
        let next = row.add(line.content, sets: line.sets, isWhole: line.isWhole)
        guard next == .restarted else {
            return append(line, input: input, label, isContinuation: true, row, end: line.end, to: &out)
        }
        // The row as it is now, with the bytes that were shown on the line before.
        let bytes = row.bytes + (line.isWhole ? [Lines.feed] : [])
        bytes.withUnsafeBytes {
            append(line.showing($0), input: input, label, isContinuation: false, row, end: line.end, to: &out)
        }
    }

    private mutating func append(
        _ line: Line,
        input: Int,
        _ label: StreamLabel,
        isContinuation: Bool,
        _ row: ShownRow?,
        end: UInt64,
        to out: inout [UInt8]
    ) {
        let decoded = DecodedLine(line)
        if !isContinuation {
            finish(to: &out)
            if row != nil {
                // What was shown before its end stays.
                endFrames(to: &out)
            } else if folder != nil {
                beginFrame(before: decoded, line.time, input: input, label, to: &out)
            }
            if line.followsOmission, showsMarkers {
                endFrames(to: &out)
                appendMarker("...", line.time, label, to: &out)
            }
            appendHead(line.time, label, hasProgram: decoded.beginsWithProgram, to: &out)
            markerGuard.beginLine()
        }
        if isEscaped {
            appendEscaped(line, isWholeLine: !isContinuation, to: &out)
            return
        }
        if folder != nil, row == nil, !decoded.isPlain {
            decoded.withText { folder?.add(decoded.row, $0) }
        }
        let style = color ? Self.style(decoded.severity) : nil
        let start = out.count
        if let style {
            out.append(contentsOf: style)
        }
        let text = out.count
        decoded.withShownText(color: color) { escaper.escape($0, into: &out) }
        if line.endsRow {
            escaper.finish(into: &out)
            // Of a row that is shown as it changes, that was shown before.
            if row == nil {
                appendOverwritten(decoded.overwritten, to: &out)
            }
        }
        markerGuard.check(&out, from: text, isWholeLine: line.endsRow && !isContinuation)
        if let style {
            // The guest's own colours take precedence.
            if out[text...].contains(0x1b) {
                out.removeSubrange(start..<start + style.count)
            } else {
                out.append(contentsOf: Self.reset)
            }
        }
        if line.endsRow {
            out.append(Lines.feed)
            open = nil
        } else {
            open = OpenLine(input: input, end: end, row: row)
        }
    }

    /// Appends the stored bytes, of which the escapes can be reversed: a backslash at the end stands for a line that goes
    /// on without LF.
    private mutating func appendEscaped(_ line: Line, isWholeLine: Bool, to out: inout [UInt8]) {
        let start = out.count
        let bytes = line.isWhole ? UnsafeRawBufferPointer(rebasing: line.bytes.dropLast()) : line.bytes
        out.append(contentsOf: TerminalEscaper.escape(bytes, style: .exact))
        markerGuard.check(&out, from: start, isWholeLine: isWholeLine)
        if !line.isWhole {
            out.append(UInt8(ascii: "\\"))
        }
        out.append(Lines.feed)
        open = nil
    }

    /// States that the line was painted over: what it said before is in the stored bytes.
    private func appendOverwritten(_ count: Int, to out: inout [UInt8]) {
        guard showsMarkers, count > 0 else {
            return
        }
        out.append(contentsOf: " [\(Self.grouped(UInt64(count))) overwritten]".utf8)
    }

    mutating func append(_ event: StreamEvent, boot: Int?, _ label: StreamLabel, to out: inout [UInt8]) {
        finish(to: &out)
        endFrames(to: &out)
        appendMarker(text(of: event, boot: boot), event.time, label, to: &out)
    }

    /// Appends that the followed VM `name` was deleted.
    mutating func append(deleted name: String, to out: inout [UInt8]) {
        guard showsMarkers else {
            return
        }
        finish(to: &out)
        endFrames(to: &out)
        let shown = String(decoding: TerminalEscaper.escape(name.utf8, style: .field), as: UTF8.self)
        append(marker: "\(shown) was deleted; the next VM of that name is followed", to: &out)
    }

    private mutating func appendMarker(
        _ words: String,
        _ time: Timestamp,
        _ label: StreamLabel,
        to out: inout [UInt8]
    ) {
        appendHead(time, label, to: &out)
        append(marker: words, to: &out)
    }

    private func append(marker words: String, to out: inout [UInt8]) {
        out.append(contentsOf: color ? Self.event : [])
        out.append(contentsOf: Self.markerOpening)
        out.append(contentsOf: words.utf8)
        out.append(contentsOf: " --".utf8)
        out.append(contentsOf: color ? Self.reset : [])
        out.append(Lines.feed)
    }

    // MARK: - Frames

    /// Begins a frame of a painted screen where `line` does, and folds those before it.
    private mutating func beginFrame(
        before line: DecodedLine,
        _ time: Timestamp,
        input: Int,
        _ label: StreamLabel,
        to out: inout [UInt8]
    ) {
        if let count = folder?.endFrame(before: line.row, input: input, in: &out) {
            announce(folded: count, to: &out)
        }
        if !line.isPlain {
            folder?.beginLine(input: input, at: out.count)
            lastHead = (time, label)
        }
    }

    /// Ends a piece of output, or what can be folded of it.
    mutating func endFrames(to out: inout [UInt8]) {
        if let count = folder?.end(in: &out, isUnfinished: open != nil) {
            announce(folded: count, to: &out)
        }
    }

    private mutating func announce(folded count: Int, to out: inout [UInt8]) {
        if count > 0, let lastHead {
            let states = count == 1 ? "1 state" : "\(Self.grouped(UInt64(count))) states"
            appendMarker(
                "\(states) before this one, alike but for a few cells, not shown",
                lastHead.time,
                lastHead.label,
                to: &out
            )
        }
    }

    mutating func finish(to out: inout [UInt8]) {
        if open != nil {
            escaper.finish(into: &out)
            out.append(Lines.feed)
            open = nil
        }
    }

    private mutating func appendHead(
        _ time: Timestamp,
        _ label: StreamLabel,
        hasProgram: Bool = false,
        to out: inout [UInt8]
    ) {
        if isShort {
            clock.appendShort(time, to: &out)
            out.append(contentsOf: hasProgram ? label.shortHost : label.short)
            return
        }
        if timestamps {
            clock.append(time, to: &out)
            out.append(UInt8(ascii: " "))
        }
        if prefix {
            out.append(contentsOf: label.prefix)
        }
    }

    // MARK: - Words and colours

    private mutating func text(of event: StreamEvent, boot: Int?) -> String {
        switch event.kind {
        case .gap(let gap):
            let isLater = gap.reason.isReportedLater
            let span = (isLater ? "before " : timeOfDay(gap.since) + "–") + timeOfDay(event.time)
            let lines = gap.lines == 1 ? "1 line" : "\(Self.grouped(gap.lines)) lines"
            guard let bytes = gap.bytes else {
                return "\(gap.lines == 0 ? GapReason.amount(nil) : lines) lost \(span): \(gap.reason)"
            }
            if bytes == 0, !gap.isClosed {
                return "what follows \(timeOfDay(gap.since)) is being lost: \(gap.reason)"
            }
            return "\(Self.count(bytes)) (\(lines)) lost \(span): \(gap.reason)"
        case .missing(let bytes, .retention):
            return "\(Self.count(bytes)) \(GapReason.retention)"
        case .missing(let bytes, let reason):
            return "\(Self.count(bytes)) missing: \(reason)"
        case .boot(let detail):
            let name = boot.map { "boot \($0)" } ?? "boot"
            return name + (detail.event.isBeginning ? ": " : " ended: ") + detail.event.name
        case .origin(let origin):
            let shown = TerminalEscaper.escape(origin.utf8, style: .field)
            return "continued by " + String(decoding: shown, as: UTF8.self)
        }
    }

    private mutating func timeOfDay(_ time: Timestamp) -> String {
        var stamp: [UInt8] = []
        eventClock.appendShort(time, to: &stamp)
        return String(decoding: stamp.suffix(8), as: UTF8.self)
    }

    private static func count(_ bytes: UInt64) -> String {
        bytes == 1 ? "1 byte" : grouped(bytes) + " bytes"
    }

    /// The number with thousands separators.
    private static func grouped(_ number: UInt64) -> String {
        let digits = Array(String(number))
        var text = ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index) % 3 == 0 {
                text.append(",")
            }
            text.append(digit)
        }
        return text
    }

    /// The colours of journalctl.
    private static func style(_ severity: Severity?) -> [UInt8]? {
        switch severity {
        case .emergency, .alert, .critical, .error: serious
        case .warning: warning
        case .notice: notice
        case .debug: debug
        case .informational, nil: nil
        }
    }

    private static let serious = Array("\u{1b}[0;1;31m".utf8)
    private static let warning = Array("\u{1b}[0;1;33m".utf8)
    private static let notice = Array("\u{1b}[0;1;39m".utf8)
    private static let debug = Array("\u{1b}[0;38;5;245m".utf8)
    /// The beginning of a marker, after the line's head; `MarkerGuard` keeps guests' lines from beginning like this.
    private static let markerOpening = Array("-- ".utf8)
    private static let event = Array("\u{1b}[0;2m".utf8)
    private static let reset = Array("\u{1b}[0m".utf8)
}
