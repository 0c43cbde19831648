// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import TextFormats

/// The names of one stream in each format, computed once.
struct StreamLabel {
    let vm: String
    let folder: String
    let uuid: String?
    let stream: StreamName
    /// `[vm/stream] `, the prefix of lines in `text`.
    let prefix: [UInt8]
    /// ` vm stream: `, after the time in `short`.
    let short: [UInt8]
    /// `"vm":"…","stream":"…"`.
    let json: [UInt8]
    /// `vm=… stream=…`.
    let logfmt: [UInt8]
    /// The fields common to all of the stream's journal entries.
    let export: [UInt8]

    init(vm: String, folder: String, uuid: String?, stream: StreamName) {
        self.vm = vm
        self.folder = folder
        self.uuid = uuid
        self.stream = stream
        // Names may come from untrusted sources, and must be escaped for terminals.
        let name = MarkerGuard.guarded(name: TerminalEscaper.escape(vm.utf8, style: .field))
        prefix = Array("[".utf8) + name + Array("/\(stream.text)] ".utf8)
        short = Array(" ".utf8) + name + Array(" \(stream.text): ".utf8)
        var json = Array(#""vm":"#.utf8)
        JSON.append(vm, to: &json)
        self.json = json + Array(#","stream":"\#(stream.text)""#.utf8)
        var logfmt = Array("vm=".utf8)
        vm.withUTF8Bytes { _ = LogfmtText.append($0, to: &logfmt) }
        self.logfmt = logfmt + Array(" stream=\(stream.text)".utf8)
        export = JournalExportFormat.streamFields(vm: vm, folder: folder, uuid: uuid, stream: stream)
    }
}

/// Writes entries in one format.
protocol EntryWriter {
    /// Appends a line of the stream `input`.
    mutating func append(_ line: Line, input: Int, _ label: StreamLabel, to out: inout [UInt8])
    /// Appends an event, where the format can represent it. `boot` is the boot's number, for a boot event.
    mutating func append(_ event: StreamEvent, boot: Int?, _ label: StreamLabel, to out: inout [UInt8])
    /// An event at `time` ends a line that a part was written of.
    mutating func cutLine(at time: Timestamp, to out: inout [UInt8])
    /// Ends an unfinished line.
    mutating func finish(to out: inout [UInt8])
}

extension EntryWriter {
    mutating func append(_ event: StreamEvent, boot: Int?, _ label: StreamLabel, to out: inout [UInt8]) {}
    mutating func cutLine(at time: Timestamp, to out: inout [UInt8]) {}
    mutating func finish(to out: inout [UInt8]) {}
}

extension String {
    /// Calls `body` with the text's UTF-8.
    func withUTF8Bytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        var copy = self
        return copy.withUTF8 { body(UnsafeRawBufferPointer($0)) }
    }
}

/// The stored bytes, unchanged.
struct RawFormat: EntryWriter {
    mutating func append(_ line: Line, input: Int, _ label: StreamLabel, to out: inout [UInt8]) {
        out.append(contentsOf: line.bytes)
    }
}

/// The Kubernetes container runtimes' log format: `<RFC 3339> stdout F|P <content>`; P means that the line continues in
/// the next entry. A line that does not is ended by an F without content. Losses are on `stderr`, where no guest writes.
struct CRIFormat: EntryWriter {
    private var clock = StampWriter(.utc)
    /// The stream of the last entry, and where its line continues, when that is not complete.
    private var part: (input: Int, end: UInt64)?

    mutating func append(_ line: Line, input: Int, _ label: StreamLabel, to out: inout [UInt8]) {
        if let part, part != (input, line.start.offset) {
            cutLine(at: line.time, to: &out)
        }
        part = line.isWhole ? nil : (input, line.end)
        // Only the LF belongs to the format; a CR is the guest's.
        let text = line.isWhole ? UnsafeRawBufferPointer(rebasing: line.bytes.dropLast()) : line.bytes
        append(line.time, line.isWhole ? Self.full : Self.partial, text, to: &out)
    }

    mutating func append(_ event: StreamEvent, boot: Int?, _ label: StreamLabel, to out: inout [UInt8]) {
        let words: String
        switch event.kind {
        case .gap(let gap): words = gap.reason.words(losing: gap.bytes)
        case .missing(let bytes, let reason): words = reason.words(losing: bytes)
        case .boot, .origin: return
        }
        words.withUTF8Bytes { append(event.time, Self.loss, $0, to: &out) }
    }

    mutating func cutLine(at time: Timestamp, to out: inout [UInt8]) {
        if part != nil {
            append(time, Self.full, UnsafeRawBufferPointer(start: nil, count: 0), to: &out)
            part = nil
        }
    }

    private mutating func append(
        _ time: Timestamp,
        _ kind: [UInt8],
        _ text: UnsafeRawBufferPointer,
        to out: inout [UInt8]
    ) {
        clock.appendNanoseconds(time, to: &out)
        out.append(contentsOf: kind)
        out.append(contentsOf: text)
        out.append(Lines.feed)
    }

    private static let full = Array(" stdout F ".utf8)
    private static let partial = Array(" stdout P ".utf8)
    private static let loss = Array(" stderr F ".utf8)
}
