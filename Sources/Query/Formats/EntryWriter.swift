import LogModel
import TextFormats

/// How one stream is named in each format, made once.
struct StreamLabel {
    /// The VM's name.
    let vm: String
    /// The VM's folder.
    let folder: String
    /// The VM's UUID.
    let uuid: String?
    let stream: StreamName
    /// `[vm/stream] `, as it stands before lines of `text`.
    let prefix: [UInt8]
    /// ` vm stream: `, as it stands behind the time in `short`.
    let short: [UInt8]
    /// `"vm":"…","stream":"…"`.
    let json: [UInt8]
    /// `vm=… stream=…`.
    let logfmt: [UInt8]
    /// The fields that all of the stream's journal entries have.
    let export: [UInt8]

    init(vm: String, folder: String, uuid: String?, stream: StreamName) {
        self.vm = vm
        self.folder = folder
        self.uuid = uuid
        self.stream = stream
        // Names come from outside too, and must not reach a terminal as they are.
        let name = MarkerGuard.guarded(name: TerminalEscaper.escape(vm.utf8, style: .field))
        prefix = Array("[".utf8) + name + Array("/\(stream.text)] ".utf8)
        short = Array(" ".utf8) + name + Array(" \(stream.text): ".utf8)
        var json = Array(#""vm":"#.utf8)
        JSON.append(vm, to: &json)
        self.json = json + Array(#","stream":"\#(stream.text)""#.utf8)
        var logfmt = Array("vm=".utf8)
        vm.withUTF8Bytes { _ = LogfmtFormat.append(value: $0, to: &logfmt) }
        self.logfmt = logfmt + Array(" stream=\(stream.text)".utf8)
        export = JournalExportFormat.streamFields(vm: vm, folder: folder, uuid: uuid, stream: stream)
    }
}

/// Writes entries in one format, one after another.
protocol EntryWriter {
    /// Appends a line of the input at place `input`.
    mutating func append(_ line: Line, input: Int, _ label: StreamLabel, to out: inout [UInt8])
    /// Appends an event, where the format has a form for it. `boot` is the boot's number, of a boot event.
    mutating func append(_ event: StreamEvent, boot: Int?, _ label: StreamLabel, to out: inout [UInt8])
    /// Ends a line left open.
    mutating func finish(to out: inout [UInt8])
}

extension EntryWriter {
    mutating func append(_ event: StreamEvent, boot: Int?, _ label: StreamLabel, to out: inout [UInt8]) {}
    mutating func finish(to out: inout [UInt8]) {}
}

extension String {
    /// Calls `body` with the text's UTF-8.
    func withUTF8Bytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        var copy = self
        return copy.withUTF8 { body(UnsafeRawBufferPointer($0)) }
    }
}

/// The stored bytes, exactly.
struct RawFormat: EntryWriter {
    mutating func append(_ line: Line, input: Int, _ label: StreamLabel, to out: inout [UInt8]) {
        out.append(contentsOf: line.bytes)
    }
}

/// The Kubernetes container runtimes' log format: `<RFC 3339> stdout F|P <content>`; P says that the line goes on in
/// the next piece.
struct CRIFormat: EntryWriter {
    private var clock = StampWriter(.utc)

    mutating func append(_ line: Line, input: Int, _ label: StreamLabel, to out: inout [UInt8]) {
        clock.appendNanoseconds(line.time, to: &out)
        out.append(contentsOf: line.isWhole ? Self.full : Self.partial)
        // Only the LF belongs to the format; a CR is the guest's.
        out.append(contentsOf: line.isWhole ? UnsafeRawBufferPointer(rebasing: line.bytes.dropLast()) : line.bytes)
        out.append(Lines.feed)
    }

    private static let full = Array(" stdout F ".utf8)
    private static let partial = Array(" stdout P ".utf8)
}
