// SPDX-License-Identifier: Apache-2.0

import LogModel
import RotatingFile
import SystemIO

/// The writer's side of a stream's plain file. Lives on the writer's thread.
final class PlainFileSink {
    private let file: RotatingFileWriter
    private let stream: StreamKey
    /// The number of bytes that are missing in the file since its last problem began; nil without a problem.
    private(set) var missing: Int?
    /// The number of waiting entries that are in the file.
    private var written = 0
    /// The number of bytes of the next entries that an ended process has written.
    private var alreadyThere = 0

    /// The plain file of `stream`, in which bytes are `missing` if it has had a problem until now. `closeReplaced` closes
    /// a descriptor on another thread.
    init(
        _ file: StreamOptions.PlainFile,
        of stream: StreamKey,
        missing: Int?,
        closeReplaced: @escaping (Int32) -> Void
    ) {
        self.stream = stream
        self.missing = missing
        self.file = RotatingFileWriter(
            path: file.path,
            trustedFolder: file.trustedFolder,
            limits: file.limits,
            mode: file.mode,
            closeReplaced: closeReplaced
        )
    }

    /// Writes the bytes of waiting entries that are not in the file yet; `slot` is theirs. `scratch` is a buffer to
    /// gather small entries in.
    func write(
        _ waiting: [InflightRing.Entry],
        of slot: (ring: InflightRing, number: Int)?,
        _ scratch: UnsafeMutableRawBufferPointer,
        _ opener: any SinkOpening
    ) {
        while written < waiting.count {
            var bytes = 0
            let batch = waiting[written...].prefix { entry in
                bytes += entry.payload.count
                return bytes <= InflightRing.Entry.gatherLimit
            }
            let due = batch.filter { $0.kind == .data && !$0.isInPlainFile }
            if let first = due.first, let slot {
                write(InflightRing.Entry.gather(due, scratch), opener) { progress in
                    slot.ring.setPlainAppend(slot.number, progress, firstEnd: first.end)
                }
                due.forEach { $0.isInPlainFile = true }
                slot.ring.endPlainAppend(slot.number)
            }
            written = batch.endIndex
        }
    }

    /// From now on other entries wait.
    func begin() {
        written = 0
    }

    /// Begins with the entries of an ended process, which was killed in an append as far as `progress`, whose first
    /// entry ends at `firstEnd`.
    func begin(with entries: [InflightRing.Entry], after progress: AppendProgress, firstEnd: UInt64) {
        let ofAppend = entries.filter { $0.kind == .data && $0.end >= firstEnd }
        let marked = ofAppend.filter(\.isInPlainFile).reduce(0) { $0 + $1.payload.count }
        let unmarked = ofAppend.reduce(0) { $0 + $1.payload.count } - marked
        // Another program may have appended to the file since.
        alreadyThere = min(max(0, progress.written(in: file.path) - marked), unmarked)
    }

    private func write(
        _ text: UnsafeRawBufferPointer,
        _ opener: any SinkOpening,
        _ willWrite: (AppendProgress) -> Void
    ) {
        let skipped = min(alreadyThere, text.count)
        alreadyThere -= skipped
        let rest = UnsafeRawBufferPointer(rebasing: text[skipped...])
        guard !rest.isEmpty else {
            return
        }
        var written = 0
        let isWritten = report(opener) { () throws(SystemError) in
            try file.append(rest) { progress in
                written = progress.written
                var progress = progress
                progress.written += skipped
                willWrite(progress)
            }
        }
        if !isWritten {
            missing = (missing ?? 0) + rest.count - written
        }
    }

    /// Opens the file at the path if another program has replaced or removed the open one.
    func reopen(_ opener: any SinkOpening) {
        _ = report(opener) { () throws(SystemError) in try file.reopen() }
    }

    /// Carries out an operation on the file, and reports its failure, or the first success after one; returns whether
    /// it succeeded.
    private func report(_ opener: any SinkOpening, _ operation: () throws(SystemError) -> Void) -> Bool {
        do throws(SystemError) {
            try operation()
            if let missing {
                self.missing = nil
                opener.plainFileRecovered(file.path, of: stream, missing: missing)
            }
            return true
        } catch {
            missing = missing ?? 0
            opener.plainFileFailed(file.path, of: stream, error)
            return false
        }
    }
}

extension InflightRing.Entry {
    /// Maximum number of bytes gathered for one write.
    static let gatherLimit = 64 << 10

    /// The bytes of `entries`, contiguous: in place when possible, else in `scratch`.
    static func gather(
        _ entries: some Collection<InflightRing.Entry>,
        _ scratch: UnsafeMutableRawBufferPointer
    ) -> UnsafeRawBufferPointer {
        if entries.count == 1, let only = entries.first {
            return only.payload
        }
        var count = 0
        for entry in entries {
            UnsafeMutableRawBufferPointer(rebasing: scratch[count...]).copyMemory(from: entry.payload)
            count += entry.payload.count
        }
        return UnsafeRawBufferPointer(rebasing: scratch[..<count])
    }
}
