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

    /// The destination in words.
    var words: String {
        switch target {
        case .path(let path): "\(format.rawValue) in \(path)"
        case .standardOutput: "\(format.rawValue) on standard output"
        }
    }
}

/// Appends records to files.
///
/// A file is opened by its path for each batch, so another program may rotate it by renaming. A batch that does not fit on
/// the disk is removed again: no line is torn.
actor FileDestination: OutputDestination {
    private let settings: FileSettings
    /// The thread that waits for the disk, or for the reader of a pipe.
    private let thread = NIOThreadPool(numberOfThreads: 1)

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
                var lines: [UInt8] = []
                for item in run.items {
                    batch.append(item, to: &lines)
                }
                let (target, text) = (settings.target, lines)
                let stream = run.origin.stream
                try await thread.runIfActive { try Self.write(text, to: target, stream) }
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

    private static func write(_ lines: [UInt8], to target: FileSettings.Target, _ stream: StreamID) throws(SystemError)
    {
        switch target {
        case .path(let pattern):
            let parts = pattern.split(separator: "{vm}", omittingEmptySubsequences: false).map { part in
                part.split(separator: "{stream}", omittingEmptySubsequences: false).joined(
                    separator: stream.stream.text
                )
            }
            try append(lines, to: parts.joined(separator: stream.vm))
        case .standardOutput:
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
            var waited = pollfd(fd: STDOUT_FILENO, events: Int16(POLLOUT), revents: 0)
            guard try systemCall("poll", "standard output", { poll(&waited, 1, timeout) }) > 0 else {
                throw SystemError("write", "standard output", code: EAGAIN, reason: "its reader does not take lines")
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
