// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import LogStore
import NIOPosix
import SystemIO

/// The settings of an output to files, or to standard output.
public struct FileSettings: Hashable, Sendable {
    public enum Target: Hashable, Sendable {
        /// A path, in which `{vm}` is the VM's folder name and `{stream}` the stream. Missing folders are created.
        case path(String)
        case standardOutput
    }

    public var target: Target
    public var format: FileFormat

    public init(_ target: Target, format: FileFormat) {
        self.target = target
        self.format = format
    }

    /// The destination for people.
    var summary: String {
        switch target {
        case .path(let path): "\(format.rawValue) in \(path)"
        case .standardOutput: "\(format.rawValue) on standard output"
        }
    }
}

/// Appends records to files.
///
/// A file is opened by its path for each batch, so another program may rotate it by renaming. A batch that does not fit on
/// the disk is removed again: no line is torn. In a file of CRI lines a part is ended before what does not continue it.
actor FileDestination: OutputDestination {
    private let settings: FileSettings
    /// The thread that waits for the disk, or for the reader of a pipe.
    private let thread = NIOThreadPool(numberOfThreads: 1)

    /// By path, the stream of the last line, when that is a part.
    private var parts: [String: StreamID] = [:]
    /// The files that this process has written to.
    private var known: Set<String> = []

    init(_ settings: FileSettings) {
        self.settings = settings
        thread.start()
    }

    nonisolated func encode(_ record: OutputRecord, to out: inout [UInt8]) {
        settings.format.append(record, to: &out)
    }

    func send(_ items: [Int], of batch: OutputBatch) async -> SendResult {
        var results: [ItemResult] = []
        do {
            for run in batch.runs(of: items) {
                let stream = run.origin.stream
                let path = path(of: stream)
                var lines: [UInt8] = []
                var part = try await part(at: path)
                for item in run.items {
                    let (isPartial, continues) = (batch.items[item].isPartial, batch.items[item].continuesPart)
                    if let open = part, open != stream || !continues {
                        settings.format.appendEnd(ofPartBefore: batch.items[item].time, to: &lines)
                    }
                    batch.append(item, to: &lines)
                    part = isPartial ? stream : nil
                }
                let text = lines
                try await thread.runIfActive { try Self.write(text, to: path) }
                parts[path ?? ""] = part
                known.insert(path ?? "")
                results += run.items.map { _ in .delivered }
            }
            return .items(results)
        } catch {
            guard !results.isEmpty else {
                return .unavailable("\(error)")
            }
            let rest = items.count - results.count
            return .items(results + Array(repeating: .retry("\(error)"), count: rest))
        }
    }

    func close() {
        thread.shutdownGracefully { _ in }
    }

    /// The file for records of `stream`; nil: standard output.
    private func path(of stream: StreamID) -> String? {
        guard case .path(let pattern) = settings.target else {
            return nil
        }
        let parts = pattern.split(separator: "{vm}", omittingEmptySubsequences: false).map { part in
            part.split(separator: "{stream}", omittingEmptySubsequences: false).joined(separator: stream.stream.text)
        }
        return parts.joined(separator: stream.vm)
    }

    /// The stream whose unfinished part is the last line at `path`; nil when the last line is finished. Nothing continues
    /// what another process has written.
    private func part(at path: String?) async throws -> StreamID? {
        guard settings.format == .cri, let path, !known.contains(path) else {
            return parts[path ?? ""]
        }
        let format = settings.format
        let endsWithPart = try await thread.runIfActive { format.endsWithPart(try Self.end(of: path)) }
        return endsWithPart ? Self.unknownStream : nil
    }

    private static let unknownStream = StreamID(vm: "", stream: .console0)
    /// A part is shorter, in bytes.
    private static let longestPart = 256 << 10

    private static func end(of path: String) throws(SystemError) -> [UInt8] {
        guard FileAttributes(at: path) != nil else {
            return []
        }
        let file = try StoredFile(path, .read, on: LinuxFileSystem())
        let size = try file.size
        let count = min(size, longestPart)
        return try file.read(at: size - count, count: count)
    }

    private static func write(_ lines: [UInt8], to path: String?) throws(SystemError) {
        if let path {
            try append(lines, to: path)
        } else {
            try writeToStandardOutput(lines)
        }
    }

    /// Appends to the file at `path`, which is created with its folder.
    private static func append(_ lines: [UInt8], to path: String) throws(SystemError) {
        try LinuxFileSystem().makeDirectories(DirectoryHandle.split(path).directory)
        let file = try StoredFile(path, .create, on: LinuxFileSystem())
        let size = try file.size
        // A process that was killed may have left a line without its end.
        let isTorn = size > 0 ? try file.read(at: size - 1, count: 1) != [Lines.feed] : false
        do throws(SystemError) {
            try file.write(at: size, isTorn ? [Lines.feed] + lines : lines)
            try file.synchronize()
        } catch {
            try? file.truncate(to: size)
            throw error
        }
    }

    /// How long the reader of standard output is waited for, in milliseconds.
    private static let timeout: Int32 = 5000

    private static func writeToStandardOutput(_ lines: [UInt8]) throws(SystemError) {
        var done = 0
        while done < lines.count {
            var waited = pollfd(STDOUT_FILENO, POLLOUT)
            guard try systemCall("poll", "standard output", { poll(&waited, 1, timeout) }) > 0 else {
                throw SystemError("write", "standard output", code: EAGAIN, reason: "its reader does not read")
            }
            // At most what a pipe takes at once, so that a write does not block.
            let count = min(lines.count - done, Int(PIPE_BUF))
            let start = done
            done += try systemCall("write", "standard output") {
                lines.withUnsafeBytes { Glibc.write(STDOUT_FILENO, $0.baseAddress! + start, count) }
            }
        }
    }
}
