// SPDX-License-Identifier: Apache-2.0

import Capture
import Glibc
import LogModel
import LogStore
import SystemIO
import TextFormats
import Transforms

/// Takes the records of one source through the pipeline to the streams of their VMs. Used by the source's thread.
///
/// Records wait in one batch per stream until `flush`. A stream that already has a record, because the source is read
/// again from its mark, does not get it again.
final class RecordRouter {
    private final class Target {
        let intake: RecordIntake
        /// The number of the last record that the stream has.
        var last: UInt64
        var batch: RecordBatch?

        init(_ intake: RecordIntake, last: UInt64) {
            self.intake = intake
            self.last = last
        }

        /// Records a loss after the records that the stream has, unless it has the loss or something after it.
        func add(_ loss: Loss) {
            guard loss.position.number > last else {
                return
            }
            last = loss.position.number
            intake.add(loss.gap, position: loss.position.bytes)
        }
    }

    private struct Loss {
        var gap: GapDetail
        /// The position after it.
        let position: ReadPosition
    }

    private let capture: CaptureService
    private let source: SourceDefinition
    private var pipeline: Pipeline
    private let commits: CommitCounter
    private let interruption: Interruption
    /// Whether the source is read again from a position, with the same numbers.
    private let isReplayed: Bool
    private var targets: [StreamKey: Target] = [:]
    /// The VMs whose streams could not be opened, and when that is tried again, in monotonic microseconds.
    private var refused: [VMIdentity: Int64] = [:]
    /// For the streams that are opened later and had records of the source before.
    private var losses: [Loss] = []
    /// The last record's time.
    private var lastTime: Int64?
    private var line: [UInt8] = []
    /// The number of records of which a part had to be dropped.
    private(set) var truncated = 0
    private(set) var waiting = 0

    /// Maximum number of streams that are open at a time.
    private static let targetLimit = 1000

    /// How long a stream that could not be opened is not tried again, in microseconds.
    private static let retryInterval: Int64 = 10_000_000
    /// Losses that are kept apart from each other.
    private static let lossLimit = 64

    /// A router whose calls that wait for the store throw ECANCELED when `interruption` is raised. A source that is not
    /// `replayed` gives each record once.
    init(
        _ source: SourceDefinition,
        pipeline: Pipeline,
        into capture: CaptureService,
        commits: CommitCounter,
        interruption: Interruption,
        isReplayed: Bool = true
    ) {
        self.source = source
        self.isReplayed = isReplayed
        self.pipeline = pipeline
        self.capture = capture
        self.commits = commits
        self.interruption = interruption
    }

    /// Adds the record that `position` follows; with `tag`, in place of the source's. Throws ECANCELED when capture stops
    /// or the source is interrupted.
    func add(_ record: inout RecordBuffer, tag: String? = nil, at position: ReadPosition) throws {
        var failure: (any Error)?
        var position = position
        // What the source names is not changed by what a parser finds in a text.
        let named = namedVM(in: record)
        let now = capture.clock.now
        pipeline.process(&record, tag: tag ?? source.tag, readAt: now) { record, _ in
            guard failure == nil else {
                return
            }
            do {
                try store(&record, of: named ?? namedVM(in: record) ?? source.vm, at: position)
            } catch {
                failure = error
            }
            // More records than there are numbers share the last one.
            position.number += (position.number + 1) % ReadPosition.step == 0 ? 0 : 1
        }
        if let failure {
            throw failure
        }
    }

    private func store(_ record: inout RecordBuffer, of vm: VMIdentity, at position: ReadPosition) throws {
        // A line without a time, as of a stack trace, belongs to the record before it: in what one program writes.
        if isReplayed {
            record.time = record.time ?? lastTime
            lastTime = record.time
        }
        let target = try self.target(orSource: vm)
        guard !isReplayed || position.number > target.last else {
            return
        }
        line.removeAll(keepingCapacity: true)
        record.appendJSON(to: &line)
        while line.count >= RecordBatch.recordLimit {
            record.truncate()
            truncated += 1
            line.removeAll(keepingCapacity: true)
            record.appendJSON(to: &line)
        }
        let time = record.time.map { Timestamp(microseconds: $0 / 1000) }
        let bytes = position.bytes
        while true {
            var batch = target.batch ?? RecordBatch(received: capture.clock.now)
            // Not held twice, so that it is appended to in place.
            target.batch = nil
            let isAdded = try batch.append(line, ownTime: time, position: bytes)
            target.batch = batch
            if isAdded {
                waiting += line.count
                return
            }
            try flush(target)
        }
    }

    /// Gives all records that wait to the store; waits while it has no space for them.
    func flush() throws {
        for target in targets.values {
            try flush(target)
        }
        waiting = 0
        if targets.count > Self.targetLimit {
            targets.values.forEach { $0.intake.close() }
            targets.removeAll()
        }
    }

    private func flush(_ target: Target) throws {
        guard let batch = target.batch, batch.count > 0 else {
            return
        }
        target.batch = nil
        let round = commits.begin()
        try target.intake.append(batch) { [commits] in commits.end(round) }
    }

    /// Records a loss, up to `position`, in the streams that have records of the source: in those that are not open when
    /// they are opened.
    func noteLoss(_ bytes: UInt64?, _ reason: GapReason = .sourceRemoved, at position: ReadPosition) {
        let now = capture.clock.now
        let gap = GapDetail(reason: reason, bytes: bytes, lines: 0, since: now, isClosed: true)
        let loss = Loss(gap: gap, position: position)
        targets.values.forEach { $0.add(loss) }
        losses.append(loss)
        if losses.count > Self.lossLimit {
            let first = losses.removeFirst().gap
            losses[0].gap = first.joined(with: losses[0].gap)
        }
    }

    /// Records that `bytes` of the source, whose streams are unknown, are damaged: a loss, also recorded in the
    /// source's own stream.
    func noteDamage(_ bytes: UInt64, at position: ReadPosition) throws {
        _ = try target(of: source.vm)
        noteLoss(bytes, .corruption, at: position)
    }

    func close() {
        targets.values.forEach { $0.intake.close() }
        targets.removeAll()
    }

    // MARK: - Streams

    /// Where a record goes: to its VM's stream or, as long as that cannot be opened, to the source's, so that one VM does
    /// not keep the others waiting.
    private func target(orSource vm: VMIdentity) throws -> Target {
        guard vm != source.vm else {
            return try target(of: vm).target
        }
        if let retry = refused[vm] {
            guard capture.clock.monotonicMicroseconds() >= retry else {
                return try target(of: source.vm).target
            }
            refused[vm] = nil
        }
        do {
            return try target(of: vm).target
        } catch let error as SystemError where error.code == ECANCELED {
            throw error
        } catch {
            refused[vm] = capture.clock.monotonicMicroseconds() + Self.retryInterval
            capture.diagnostics.log(
                .warning,
                "source \(source.name): records of VM \(vm) are stored in VM \(source.vm), because its stream cannot be "
                    + "opened: \(error)"
            )
            return try target(of: source.vm).target
        }
    }

    /// The position of the one stream that all records go to; nil when it has none of this source.
    func lastPosition() throws -> ReadPosition? {
        let position = try target(of: source.vm).position
        return position?.isOf(source.name) == true ? position : nil
    }

    private func target(of vm: VMIdentity) throws -> (target: Target, position: ReadPosition?) {
        let key = StreamKey(vm: vm, stream: source.stream)
        if let target = targets[key] {
            return (target, nil)
        }
        let intake = try capture.openRecords(key, options: RecordOptions(), interruption: interruption)
        let position: ReadPosition?
        do throws(SystemError) {
            position = try intake.resumePosition().flatMap { ReadPosition($0) }
        } catch {
            // The stream is free for another source.
            intake.close()
            throw error
        }
        let isOurs = position?.isOf(source.name) == true
        // The numbers of a source that is not read again begin anew in each process.
        let target = Target(intake, last: isOurs && isReplayed ? position?.number ?? 0 : 0)
        if isOurs {
            losses.forEach(target.add)
        }
        targets[key] = target
        return (target, position)
    }

    /// The VM that a record names, in a field that is not a guest's.
    private func namedVM(in record: RecordBuffer) -> VMIdentity? {
        for name in source.vmFields {
            let field = record.fields.first { !$0.isUntrusted && record.matches($0.name, name) }
            if let field, let text = String(validating: record[field.value], as: UTF8.self),
                VMIdentity.fault(inName: text) == nil
            {
                return VMIdentity(name: text)
            }
        }
        return nil
    }
}

extension RecordBuffer {
    /// The part of a name or a value that stays when its record is too long. Two of them are far from the limit.
    private static let truncatedSize = 64 << 10

    /// Makes a record that is too long much shorter, and says so: cuts the longest name or value, and those of a similar
    /// length, to their beginning.
    fileprivate mutating func truncate() {
        let longest = fields.reduce(0) { max($0, $1.name.count, $1.value.count) }
        let limit = max(longest / 2, Self.truncatedSize)
        for index in fields.indices {
            if fields[index].name.count > limit {
                fields[index].name = fields[index].name.prefix(Self.truncatedSize)
            }
            if fields[index].value.count > limit {
                fields[index].value = fields[index].value.prefix(Self.truncatedSize)
                fields[index].form = .text
            }
        }
        if longest <= limit {
            // Very many fields: the later half goes.
            fields.removeLast(fields.count / 2)
        }
        set(Array(RecordDecoder.truncatedName), "true".utf8, .literal)
    }
}
