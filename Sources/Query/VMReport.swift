// SPDX-License-Identifier: Apache-2.0

public import LogModel
public import LogStore
import SystemIO

/// A summary of what is stored of a VM, computed without decoding blocks.
public struct VMReport: Hashable, Sendable {
    public var first: Timestamp?
    public var last: Timestamp?
    /// Stored bytes of text.
    public var textBytes: UInt64 = 0
    /// Their disk usage in bytes.
    public var storedBytes = 0
    public var streams: [StreamName] = []
    /// Number of boots of which something is stored.
    public var boots = 0
    /// Lost bytes according to the stored gap markers, without what retention removed.
    public var lostBytes: UInt64 = 0
    /// Lost lines whose bytes are not known, because the guest's agent counts records.
    public var lostLines: UInt64 = 0
    /// Number of positions where bytes are missing.
    public var gaps = 0
    /// Damage or read errors that were found; nil without any. `verify` checks everything.
    public var problem: String?
    /// Whether the problem is only that this user may not read all of it.
    public var isForbidden = false
    /// Whether a part of the log cannot be read by anybody.
    public var isDamaged: Bool { problem != nil && !isForbidden }

    /// The report of `vm`. Read errors are reported in `problem`.
    public init(of vm: Store.VM, in store: Store) {
        problem = vm.metadataProblem.map { "vm.json " + $0 }
        do {
            for stream in try store.streams(of: vm.directory) {
                streams.append(stream.stream)
                do {
                    try count(stream, in: store)
                } catch {
                    note(error)
                }
            }
            if let lost = try store.lostStreams(of: vm.directory).first {
                problem = problem.flatMap { isForbidden ? nil : $0 } ?? "the folder of \(lost) is missing"
                isForbidden = false
            }
            boots = try BootList.recordedBoots(of: vm, in: store).last?.number ?? 0
        } catch {
            note(error)
        }
    }

    private mutating func note(_ error: any Error) {
        // A damage is the worse problem.
        let isDamage = (error as? SystemError)?.isForbidden != true
        if problem == nil || isForbidden && isDamage {
            (problem, isForbidden) = ("\(error)", !isDamage)
        }
    }

    private mutating func count(_ stream: StreamID, in store: Store) throws {
        storedBytes += try store.usage(of: stream)
        let reader = store.reader(of: stream)
        for block in try reader.summaries() {
            first = min(first ?? .distantFuture, block.timeRange.lowerBound)
            last = max(last ?? .distantPast, block.timeRange.upperBound)
            textBytes += block.end - block.offset
            if block.flags.contains(.gap) {
                try count(reader.records(of: block))
            }
        }
        let unreadable = reader.unreadableFiles
        if let error = unreadable.first(where: { !$0.isForbidden }) ?? unreadable.first {
            note(error)
        }
    }

    private mutating func count(_ records: [IndexRecord]) {
        for record in records where record.flags.contains(.gap) {
            if let gap = RecordDetail(decoding: record.detail).gap {
                lostBytes = lostBytes.addingClamped(gap.bytes ?? 0)
                lostLines = lostLines.addingClamped(gap.bytes == nil ? gap.lines : 0)
                gaps += gap.isClosed ? 1 : 0
            }
        }
    }
}
