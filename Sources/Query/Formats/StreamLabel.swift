// SPDX-License-Identifier: Apache-2.0

import LogModel
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
    /// ` vm `, in its place where the name of a program follows.
    let shortHost: [UInt8]
    /// `"vm":"…","stream":"…"`.
    let json: [UInt8]
    /// `vm=… stream=…`.
    let logfmt: [UInt8]
    /// The fields common to all of the stream's journal entries.
    let export: [UInt8]
    /// The same for entries that name a program, `SYSLOG_IDENTIFIER`.
    let exportOfProgram: [UInt8]

    init(vm: String, folder: String, uuid: String?, stream: StreamName) {
        self.vm = vm
        self.folder = folder
        self.uuid = uuid
        self.stream = stream
        // Names may come from untrusted sources, and must be escaped for terminals.
        let name = MarkerGuard.guarded(name: TerminalEscaper.escape(vm.utf8, style: .field))
        prefix = Array("[".utf8) + name + Array("/\(stream.text)] ".utf8)
        shortHost = Array(" ".utf8) + name + Array(" ".utf8)
        short = shortHost + Array("\(stream.text): ".utf8)
        var json = Array(#""vm":"#.utf8)
        JSON.append(vm, to: &json)
        self.json = json + Array(#","stream":"\#(stream.text)""#.utf8)
        var logfmt = Array("vm=".utf8)
        vm.withUTF8Bytes { _ = LogfmtText.append($0, to: &logfmt) }
        self.logfmt = logfmt + Array(" stream=\(stream.text)".utf8)
        func fields(hasProgram: Bool) -> [UInt8] {
            JournalExportFormat.streamFields(
                vm: vm,
                folder: folder,
                uuid: uuid,
                stream: stream,
                hasProgram: hasProgram
            )
        }
        export = fields(hasProgram: false)
        exportOfProgram = fields(hasProgram: true)
    }
}

extension String {
    /// Calls `body` with the text's UTF-8.
    func withUTF8Bytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        var copy = self
        return copy.withUTF8 { body(UnsafeRawBufferPointer($0)) }
    }
}
