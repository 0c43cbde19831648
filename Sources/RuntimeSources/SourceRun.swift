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
    private let onDisk = DiskPosition()
    private let mark: SourceMark
    private let interruption: Interruption
    private var position: ReadPosition
    /// The position after what was given to the store, and the one in the mark.
    private var given: ReadPosition
    private var marked: ReadPosition
    /// Up to where everything is committed, and up to where it is on disk as well, when that is not marked yet.
    private var committed: ReadPosition?
    private var markable: ReadPosition?
    /// The number of records read.
    private(set) var recordCount = 0
    /// Whether reading began where it had ended before.
    private(set) var isContinued = false
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
        position = ReadPosition(source: source.name)
        (given, marked) = (position, position)
    }

    /// Reads until the source ends, or until the interruption is raised. Returns when everything is committed or, after
    /// an interruption, given to the store.
    func run() throws {
        defer { close() }
        try begin()
        while !interruption.isRaised() {
            switch try step() {
            case .more, .loss: continue
            case .idle, .failing:
                input.wait(interruption, within: min(restTime ?? Self.idleWait, waitTime ?? Self.idleWait))
            case .end:
                _ = try finish()
                return
            }
        }
    }

    /// Reads what there is now, up to a limit, and gives it to the store.
    func step() throws -> ReadResult {
        let reading = try turn()
        readSize = router.waiting
        try flush()
        onProgress?(recordCount)
        if case .loss(let bytes, let reason) = reading {
            try noteLoss(bytes, reason)
        }
        return reading
    }

    func finishInput() throws {
        try input.finish(into: self)
        try flush()
    }

    private(set) var readSize = 0

    var restTime: Int64? { [isMarked ? nil : Self.markWait, input.restTime].compactMap { $0 }.min() }

    var waitTime: Int64? { input.waitTime }

    /// Ends the use of the streams. The mark is of what is on disk by now.
    func close() {
        try? writeMark(isFinal: true)
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
        isContinued = saved != nil
        if let saved {
            (position, given, marked) = (saved, saved, saved)
        }
        if saved == nil, source.beginsAtEnd {
            // What streams have from before begins elsewhere: its numbers are not given again.
            position.number = UInt64(clamping: capture.clock.wallMicroseconds()) * ReadPosition.step
        }
        switch try input.begin(at: saved?.resume) {
        case .resumed: break
        case .replaced:
            isContinued = false
            position.number += ReadPosition.leap
        case .skipped(let reason): try noteLoss(nil, reason)
        }
        capture.problems.clear("source \(source.name)")
    }

    /// Reads until there is no more now, or there is enough to be committed.
    private func turn() throws -> ReadResult {
        let start = capture.clock.monotonicMicroseconds()
        while true {
            let reading = try input.read(into: self)
            let hasTurnEnded = capture.clock.monotonicMicroseconds() - start >= Self.turnTime
            if reading != .more || hasTurnEnded || router.waiting >= Self.turnSize {
                return reading
            }
        }
    }

    private func flush() throws {
        try giveAll()
        try writeMark()
    }

    /// Gives the store what was read.
    private func giveAll() throws {
        try router.flush()
        if position != given {
            given = position
            commits.endRound(at: position)
        }
    }

    /// Whether the mark, where there is one, is of the last record; else whether that is committed.
    private var isMarked: Bool { marked == given }

    /// Writes the mark if that is due; `isFinal`: in any case, and soon, as no other will be.
    private func writeMark(isFinal: Bool = false) throws {
        committed = commits.takeSafe() ?? committed
        guard !source.hasOneStream else {
            marked = committed ?? marked
            return
        }
        markable = onDisk.take() ?? markable
        if let position = committed, position.number == marked.number {
            // No record lies between.
            (committed, markable) = (nil, position)
        } else if let position = committed, onDisk.await(position, in: capture, isUrgent: isFinal) {
            committed = nil
        }
        guard let position = markable else {
            return
        }
        do throws(SystemError) {
            guard try mark.write(position, isUrgent: isFinal) else {
                return
            }
        } catch {
            // The streams have the records, and more is read: from an older mark they are read again, and recognized.
            guard !isFinal else {
                throw error
            }
            capture.diagnostics.log(.warning, "source \(source.name): \(error)")
            return
        }
        marked = position
        markable = nil
    }

    /// Waits until everything is committed and marked, or the interruption is raised; returns whether it is.
    private func finish() throws -> Bool {
        let hasAdvanced = try WakeEvent()
        commits.observe { hasAdvanced.signal() }
        onDisk.observe { hasAdvanced.signal() }
        while true {
            try writeMark(isFinal: true)
            if isMarked {
                return true
            }
            guard interruption.wait(for: hasAdvanced) else {
                return false
            }
        }
    }

    private func noteLoss(_ bytes: UInt64?, _ reason: String) throws {
        position.number += ReadPosition.leap
        capture.diagnostics.log(.warning, "source \(source.name): \(GapReason.amount(bytes)) lost: \(reason)")
        router.noteLoss(bytes, at: position)
    }
}

extension SourceRun: RecordConsumer {
    func add(_ record: inout RecordBuffer, endingAt resume: [UInt8]) throws {
        position.number += ReadPosition.step
        position.resume = resume
        recordCount += 1
        try router.add(&record, at: position)
    }

    func omit(endingAt resume: [UInt8]) {
        position.number += ReadPosition.step
        position.resume = resume
    }

    func secure(_ resume: [UInt8]) throws {
        guard !source.hasOneStream else {
            return
        }
        position.resume = resume
        try giveAll()
        guard try finish() else {
            throw SystemError("store records of", source.name, code: ECANCELED)
        }
    }
}
