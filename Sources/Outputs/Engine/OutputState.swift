// SPDX-License-Identifier: Apache-2.0

import CBytes
import LogModel
import LogStore
import SystemIO

/// The saved positions of an output: a file of text in the store's folder `outputs`.
///
/// The first line names the format. The next one is `scope` and the output's scope as JSON, which files of earlier versions
/// do not have. Then follows a line for each stream: `vm/stream cursor times`, with the times in nanoseconds that the next
/// ones follow, separated by commas, or `-` (`RisingTime.text`). The last line is `crc32c` and the checksum of the lines
/// before, in hexadecimal.
/// The file is replaced as a whole, so a crash leaves the old or the new one.
struct OutputState {
    /// What the file says.
    enum Contents {
        case absent
        /// The positions, and the scope of the output that saved them; nil: unknown.
        case progress([StreamID: StreamProgress], OutputScope?)
        /// It cannot be used, for this reason.
        case damaged(String)
    }

    let folder: String
    let name: StreamName
    let fileSystem: any FileSystem

    private static let head = "guestlog-output 1\n"
    private static let scopeName = "scope "
    private static let checksumName = "crc32c "

    private var file: String { name.text + ".state" }
    var path: String { folder + "/" + file }

    func load() throws(SystemError) -> Contents {
        let bytes: [UInt8]?
        do throws(SystemError) {
            bytes = try fileSystem.contents(of: path, limit: LinuxFileSystem.tableLimit)
        } catch  where error.isDamagedFile && !error.isTransient {
            return .damaged("it cannot be read: \(error.reason)")
        }
        return bytes.map(Self.parse) ?? .absent
    }

    /// When it was saved; nil when it was not.
    var saved: Timestamp? {
        fileSystem.status(path).map { Timestamp(microseconds: $0.modifiedMicroseconds) }
    }

    func save(_ progress: [StreamID: StreamProgress], _ scope: OutputScope) throws(SystemError) {
        try fileSystem.clear(path, for: .regular)
        try fileSystem.replace(file, in: folder, with: Self.text(of: progress, scope))
    }

    static func text(of progress: [StreamID: StreamProgress], _ scope: OutputScope?) -> [UInt8] {
        var text = Array(head.utf8)
        if let scope {
            text += Array(scopeName.utf8) + scope.json.bytes + [Lines.feed]
        }
        for (stream, value) in progress.sorted(by: { ($0.key.vm, $0.key.stream) < ($1.key.vm, $1.key.stream) }) {
            text += Array("\(stream.vm)/\(stream.stream) \(value.cursor) \(value.time.text)\n".utf8)
        }
        return text + Array("\(checksumName)\(String(checksum(text), radix: 16))\n".utf8)
    }

    static func parse(_ bytes: [UInt8]) -> Contents {
        let lines = bytes.split(separator: Lines.feed).map { String(decoding: $0, as: UTF8.self) }
        guard let first = lines.first, let last = lines.last, first + "\n" == head else {
            return .damaged("it is not a file of positions, or of a newer guestlog")
        }
        let sealed = bytes.prefix(max(0, bytes.count - last.utf8.count - 1))
        guard last == "\(checksumName)\(String(checksum(Array(sealed)), radix: 16))" else {
            return .damaged("it does not match its checksum")
        }
        var progress: [StreamID: StreamProgress] = [:]
        var scope: OutputScope?
        for line in lines.dropFirst().dropLast() {
            if line.hasPrefix(scopeName) {
                scope = (try? JSON(parsing: line.dropFirst(scopeName.count).utf8)).flatMap { OutputScope($0) }
                continue
            }
            let words = line.split(separator: " ")
            guard words.count == 3, let stream = StreamID(folder: String(words[0])),
                let cursor = Cursor(String(words[1])),
                let time = RisingTime(text: words[2])
            else {
                return .damaged("line '\(line.prefix(80))' is malformed")
            }
            progress[stream] = StreamProgress(cursor: cursor, time: time)
        }
        return .progress(progress, scope)
    }

    private static func checksum(_ bytes: [UInt8]) -> UInt32 {
        bytes.withUnsafeBytes { gl_crc32c(0, $0.baseAddress, $0.count) }
    }
}
