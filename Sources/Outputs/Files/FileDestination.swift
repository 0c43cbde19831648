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
/// the disk is removed again: no line is torn. Nor is one on standard output, whose reader may pause. In a file of CRI
/// lines a part is ended before what does not continue it.
actor FileDestination: OutputDestination {
    private let settings: FileSettings
    /// The thread that waits for the disk, or for the reader of a pipe.
    private let thread = NIOThreadPool(numberOfThreads: 1)

    /// By path, the stream of the last line, when that is a part.
    private var parts: [String: StreamID] = [:]
    /// The files that this process has written to.
    private var known: Set<String> = []
    private var standardOutput: StandardOutput

    init(_ settings: FileSettings, _ standardOutput: StandardOutput = StandardOutput()) {
        self.settings = settings
        self.standardOutput = standardOutput
        thread.start()
    }

    nonisolated func encode(_ record: OutputRecord, to out: inout [UInt8]) {
        settings.format.append(record, to: &out)
    }

    func send(_ items: [Int], of batch: OutputBatch) async -> SendResult {
        switch settings.target {
        case .standardOutput: await print(items, of: batch)
        case .path(let pattern): await append(items, of: batch, to: pattern)
        }
    }

    /// Writes to standard output.
    private func print(_ items: [Int], of batch: OutputBatch) async -> SendResult {
        var pieces: [StandardOutput.Piece] = []
        // What `parts` has before the first item, and after each.
        var states = [parts[""]]
        for item in items {
            var text: [UInt8] = []
            var part = states[states.count - 1]
            append(item, of: batch, after: &part, to: &text)
            states.append(part)
            pieces.append(StandardOutput.Piece(id: batch.items[item].id, text: text))
        }
        do {
            let (output, all) = (standardOutput, pieces)
            let (written, failure, after) = try await thread.runIfActive {
                var output = output
                let (written, failure) = output.write(all)
                return (written, failure, output)
            }
            standardOutput = after
            let hasBegun = written < items.count && after.begun?.id == pieces[written].id
            parts[""] = states[hasBegun ? written + 1 : written]
            return Self.result(written, of: items, failure)
        } catch {
            return .unavailable("\(error)")
        }
    }

    /// Appends to the files at `pattern`.
    private func append(_ items: [Int], of batch: OutputBatch, to pattern: String) async -> SendResult {
        var written = 0
        do {
            for run in batch.runs(of: items) {
                let path = Self.path(of: run.origin.stream, in: pattern)
                var lines: [UInt8] = []
                var part = try await part(at: path)
                for item in run.items {
                    append(item, of: batch, after: &part, to: &lines)
                }
                let text = lines
                try await thread.runIfActive { try Self.append(text, to: path) }
                parts[path] = part
                known.insert(path)
                written += run.items.count
            }
            return Self.result(written, of: items, nil)
        } catch {
            return Self.result(written, of: items, error)
        }
    }

    /// Appends the lines of an item that follows an item of the stream `part`, which has an unfinished part; nil: none.
    private func append(_ item: Int, of batch: OutputBatch, after part: inout StreamID?, to lines: inout [UInt8]) {
        let (record, stream) = (batch.items[item], batch.origins[batch.items[item].origin].stream)
        if let open = part, open != stream || !record.continuesPart {
            settings.format.appendEnd(ofPartBefore: record.time, to: &lines)
        }
        batch.append(item, to: &lines)
        part = record.isPartial ? stream : nil
    }

    /// The result where the first `written` items are written, and the others are not because of `failure`.
    private static func result(_ written: Int, of items: [Int], _ failure: (any Error)?) -> SendResult {
        guard let failure else {
            return .items(items.map { _ in .delivered })
        }
        guard written > 0 else {
            return .unavailable("\(failure)")
        }
        return .items(items.indices.map { $0 < written ? .delivered : .retry("\(failure)") })
    }

    func close() {
        thread.shutdownGracefully { _ in }
    }

    /// The file for records of `stream`.
    private static func path(of stream: StreamID, in pattern: String) -> String {
        let parts = pattern.split(separator: "{vm}", omittingEmptySubsequences: false).map { part in
            part.split(separator: "{stream}", omittingEmptySubsequences: false).joined(separator: stream.stream.text)
        }
        return parts.joined(separator: stream.vm)
    }

    /// The stream whose unfinished part is the last line at `path`; nil when the last line is finished. Nothing continues
    /// what another process has written.
    private func part(at path: String) async throws -> StreamID? {
        guard settings.format == .cri, !known.contains(path) else {
            return parts[path]
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
        let file = try open(path, .read)
        let size = try file.size
        let count = min(size, longestPart)
        return try file.read(at: size - count, count: count)
    }

    /// Appends to the file at `path`, which is created with its folder.
    private static func append(_ lines: [UInt8], to path: String) throws(SystemError) {
        try LinuxFileSystem().makeDirectories(DirectoryHandle.split(path).directory)
        let file = try open(path, .create)
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

    private static func open(_ path: String, _ mode: OpenMode) throws(SystemError) -> StoredFile {
        do throws(SystemError) {
            return try StoredFile(path, mode, on: LinuxFileSystem())
        } catch {
            let standardOutput = "; to write to standard output, use an output of type stdout"
            switch FileAttributes(at: path)?.kind {
            case .link?:
                let reason = "it is a symbolic link, which is not followed; use the path that it leads to"
                throw SystemError("open", path, code: error.code, reason: reason + standardOutput)
            case let kind? where kind != .regular && kind != .directory:
                let reason = "it is \(kind), and an output of type file appends to regular files only"
                throw SystemError("open", path, code: error.code, reason: reason + standardOutput)
            default: throw error
            }
        }
    }
}
