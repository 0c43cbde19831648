// SPDX-License-Identifier: Apache-2.0

import Capture
import Glibc
import LogModel
import LogStore
import SystemIO
import TextFormats
import Transforms

/// Reads one source into the store, on the calling thread. The position is committed with the records: after any end of
/// the process reading continues after the last committed record, and no record is stored twice.
final class SourceRun: FileRun {
    private let source: SourceDefinition
    private let capture: CaptureService
    private let input: any SourceInput
    private let router: RecordRouter
    private let commits = CommitCounter()
    private let mark: SourceMark
    private let interruption: Interruption
    private var position: SourcePosition
    /// The number of records read.
    private(set) var recordCount = 0
    /// Called after each turn, with that number.
    var onProgress: ((Int) -> Void)?

    /// Records of one turn wait for their commit up to this size, in bytes, and this time, in microseconds.
    private static let turnSize = 256 << 10
    private static let turnTime: Int64 = 100_000
    /// How long an idle source waits when it has nothing to write, in microseconds.
    private static let idleWait: Int64 = 30_000_000
    /// How long it waits while its mark is older than its records.
    static let markWait: Int64 = 1_000_000

    init(
        _ source: SourceDefinition,
        _ input: any SourceInput,
        pipeline: Pipeline,
        into capture: CaptureService,
        interruption: Interruption
    ) {
        self.source = source
        self.input = input
        self.capture = capture
        self.interruption = interruption
        router = RecordRouter(
            source,
            pipeline: pipeline,
            into: capture,
            commits: commits,
            interruption: interruption
        )
        mark = SourceMark(source.name, store: capture.store.root, on: capture.store.fileSystem, clock: capture.clock)
        position = SourcePosition(source: source.name)
    }

    /// Reads until the source ends, or until the interruption is raised. Returns when everything is committed or, after
    /// an interruption, given to the store.
    func run() throws {
        defer { close() }
        try begin()
        while !interruption.isRaised() {
            switch try step() {
            case .more, .loss: continue
            case .idle, .failing: input.wait(interruption, within: restTime ?? Self.idleWait)
            case .end:
                try finish()
                return
            }
        }
    }

    /// Reads what there is now, up to a limit, and gives it to the store.
    func step() throws -> SourceReading {
        let reading = try turn()
        readSize = router.waiting
        try flush()
        onProgress?(recordCount)
        if case .loss(let bytes, let reason) = reading {
            try noteLoss(bytes, reason)
        }
        return reading
    }

    private(set) var readSize = 0

    /// Whether the mark, where there is one, is of the last record.
    private var isMarked: Bool { source.hasOneStream || isCommitted }
    private var isCommitted: Bool { marked == given || given == 0 }

    var restTime: Int64? { isMarked ? nil : Self.markWait }

    /// Ends the use of the streams. The mark is of what is committed by now.
    func close() {
        try? writeMark(isUrgent: true)
        router.close()
    }

    /// Begins reading where reading ended before.
    func begin() throws {
        let saved =
            if source.hasOneStream {
                try router.lastPosition()
            } else {
                try mark.read().flatMap { $0.isOf(source.name) ? $0 : nil }
            }
        position = saved ?? position
        if saved == nil, source.beginsAtEnd {
            // What streams have from before begins elsewhere: its numbers are not given again.
            position.number = UInt64(clamping: capture.clock.wallMicroseconds()) * SourcePosition.step
        }
        marked = position.number
        switch try input.begin(at: saved?.resume) {
        case .there: break
        case .anew: position.number += SourcePosition.leap
        case .later(let reason): try noteLoss(nil, reason)
        }
        capture.problems.clear("source \(source.name)")
    }

    /// Reads until there is no more now, or there is enough to be committed.
    private func turn() throws -> SourceReading {
        let start = capture.clock.monotonicMicroseconds()
        while true {
            let reading = try input.read(into: self)
            let isOver = capture.clock.monotonicMicroseconds() - start >= Self.turnTime
            if reading != .more || isOver || router.waiting >= Self.turnSize {
                return reading
            }
        }
    }

    private func flush() throws {
        try router.flush()
        if position.number != given {
            endRound()
        }
        try writeMark()
    }

    private func endRound() {
        given = position.number
        commits.endRound(at: position)
    }

    /// The numbers of the last record given to the store, and of the mark.
    private var given: UInt64 = 0
    private var marked: UInt64 = 0
    private var safe: SourcePosition?

    /// Writes the mark if that is due.
    private func writeMark(isUrgent: Bool = false) throws {
        safe = commits.takeSafe() ?? safe
        guard !source.hasOneStream else {
            marked = safe?.number ?? marked
            return
        }
        guard let safe else {
            return
        }
        do throws(SystemError) {
            guard try mark.write(safe, isUrgent: isUrgent) else {
                return
            }
        } catch {
            // The streams have the records, and more is read: from an older mark they are read again, and recognized.
            guard !isUrgent else {
                throw error
            }
            capture.diagnostics.log(.warning, "source \(source.name): \(error)")
            return
        }
        marked = safe.number
        self.safe = nil
    }

    /// Waits until everything is committed, or the interruption is raised.
    private func finish() throws {
        _ = try wait {
            try writeMark(isUrgent: true)
            return isCommitted
        }
    }

    /// Waits until `isDone`, which is asked again whenever more is committed; false when the interruption is raised before.
    private func wait(until isDone: () throws -> Bool) throws -> Bool {
        let hasAdvanced = try WakeEvent()
        commits.observe { hasAdvanced.signal() }
        while try !isDone() {
            guard interruption.wait(for: hasAdvanced) else {
                return false
            }
        }
        return true
    }

    private func noteLoss(_ bytes: UInt64?, _ reason: String) throws {
        position.number += SourcePosition.leap
        let words = bytes.map { "\($0) bytes" } ?? "an unknown number of bytes"
        capture.diagnostics.log(.warning, "source \(source.name): \(words) are lost: \(reason)")
        router.noteLoss(bytes, at: position)
    }
}

extension SourceRun: RecordTaker {
    func add(_ record: inout RecordBuffer, endingAt resume: [UInt8]) throws {
        position.number += SourcePosition.step
        position.resume = resume
        recordCount += 1
        try router.add(&record, at: position)
    }

    func omit() {
        position.number += SourcePosition.step
    }

    func secure(_ resume: [UInt8]) throws {
        guard !source.hasOneStream else {
            return
        }
        position.resume = resume
        try router.flush()
        endRound()
        let isCommitted = try wait {
            safe = commits.takeSafe() ?? safe
            return safe == position
        }
        guard isCommitted else {
            throw SystemError("store records of", source.name, code: ECANCELED)
        }
        try writeMark(isUrgent: true)
    }
}
