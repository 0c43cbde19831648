// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import Synchronization
import SystemIO
import TestSupport

@testable import LogStore

/// A violation of the store's guarantees.
struct Broken: Error, CustomStringConvertible {
    var description: String
}

/// Distinguishes the first call from the others.
private final class AskCount: Sendable {
    private let count = Atomic<Int>(0)

    func isFirst() -> Bool { count.wrappingAdd(1, ordering: .relaxed).oldValue == 0 }
}

/// One random history of a stream on a simulated file system, compared with `StoreModel` throughout.
final class StoreHistory {
    private let files: SimulatedFileSystem
    private let store: Store
    private let clock = ManualClock()
    private var random: SeededGenerator
    private var model = StoreModel()
    private let properties: StreamProperties
    /// Whether the stream fills pairs of several blocks.
    private let isFast: Bool
    private var hostBoot = 1
    private var isDoubtPending = false
    private var isClean = false
    /// Whether a clean close that failed may have reached the disk.
    private var mayBeClean = false

    private var open: (vm: VMStore, writer: StreamWriter, sealer: Sealer)?
    private var follower: StreamBatches
    private var cursors: [Cursor] = [.start]
    private var nextMarker: UInt64 = 1
    /// Markers of failed appends; a crash decides whether they are committed.
    private var triedMarkers: Set<UInt64> = []
    /// Bytes of failed appends at the model's end: a crash may restore a beginning of them.
    private var ghosts: [[UInt8]] = []
    private var highest: UInt64 = 0
    private(set) var log: [String] = []

    private static let stream = StreamID(vm: "web", stream: .console0)

    init(seed: UInt64) {
        files = SimulatedFileSystem(seed: seed)
        random = SeededGenerator(seed: seed &+ 0x5eed)
        store = Store(root: "/store", fileSystem: files)
        properties = StreamProperties(isReplayable: seed % 4 == 0)
        isFast = seed % 100 == 50
        follower = StreamBatches(store.reader(of: Self.stream))
    }

    private func chance(_ part: Int, in whole: Int) -> Bool { Int.random(in: 0..<whole, using: &random) < part }

    private func check(_ holds: Bool, _ what: @autoclosure () -> String) throws {
        if !holds {
            throw Broken(description: what())
        }
    }

    func run(steps: Int) throws {
        try restart(afterHost: false)
        for _ in 0..<steps {
            clock.advance(Int64.random(in: 1...200_000, using: &random))
            files.now = clock.wallMicroseconds()
            try step()
            if files.isDead {
                log.append("died")
                files.processDies()
                if chance(1, in: 3) {
                    log.append("host too")
                    files.hostDies()
                    try restart(afterHost: true)
                } else {
                    try restart(afterHost: false)
                }
            }
        }
        files.failureRate = 0
        files.callsUntilDeath = nil
        try verify()
    }

    private func step() throws {
        let choice = Int.random(in: 0..<100, using: &random)
        switch choice {
        case 0..<34: try append(count: Int.random(in: isFast ? 50_000...600_000 : 1...120, using: &random))
        case 34: try append(count: chance(1, in: 10) ? 400_000 : 3000)
        case 35..<45: try mark()
        case 45..<57:
            log.append("roll")
            open?.writer.roll()
            if chance(2, in: 3) { seal() }
        case 57..<61: seal()
        case 61..<70: try synchronize()
        case 70..<73: try trim()
        case 73..<76:
            log.append("clock")
            clock.advance(chance(1, in: 2) ? -700_000 : -5_000_000)
        case 76: open?.writer.closeFiles()
        case 77..<81: try verify()
        case 81..<87: try poll()
        case 87..<90:
            log.append("death ahead")
            files.callsUntilDeath = Int.random(in: 1...12, using: &random)
        case 90:
            log.append("kill")
            try processDies()
        case 91..<93:
            log.append("host dies")
            files.hostDies()
            try restart(afterHost: true)
        case 93..<96:
            files.failureRate = files.failureRate > 0 ? 0 : [30, 200, 1000][choice - 93]
            files.failureCodes = [[ENOSPC], [EIO], [EROFS, ENOSPC]].randomElement(using: &random) ?? []
            log.append("failures \(files.failureRate)")
        case 96:
            log.append("sync will fail")
            files.failsNextSync = true
        case 97: try closeCleanly()
        default: try poll()
        }
    }

    // MARK: - Steps

    private func append(count: Int) throws {
        guard let writer = open?.writer else { return }
        var bytes = (0..<count).map { _ in UInt8.random(in: 97...122, using: &random) }
        if chance(3, in: 4) { bytes[count - 1] = Lines.feed }
        if chance(1, in: 10) { bytes[count / 2] = 0 }
        log.append("append \(count) at \(model.next)")
        model.tried(bytes)
        highest = max(highest, model.next + UInt64(count))
        var committed = count
        do throws(AppendFailure) {
            let text = bytes
            try text.span.withUnsafeBytes { buffer throws(AppendFailure) in try writer.append(buffer, time: clock.time)
            }
        } catch {
            committed = error.committed
            log.append("failed after \(committed): \(error)")
        }
        if committed > 0 {
            ghosts.removeAll()
            model.appended(Array(bytes[..<committed]))
        }
        if committed < count {
            ghosts.append(Array(bytes[committed...]))
            // Losses are marked, as in Capture.
            if !files.isDead { try mark() }
        }
    }

    private func mark() throws {
        guard let writer = open?.writer else { return }
        let id = nextMarker
        nextMarker += 1
        triedMarkers.insert(id)
        log.append("mark \(id) at \(model.next)")
        let gap = GapDetail(reason: .rateLimit, bytes: id, lines: 0, since: clock.time, isClosed: true)
        do {
            try writer.mark(RecordDetail(gap: gap), time: clock.time)
            model.marked(id)
        } catch {
            log.append("failed: \(error)")
        }
    }

    private func seal() {
        guard let (_, writer, sealer) = open else { return }
        for base in writer.takeClosedPairs() {
            do {
                try sealer.seal(base, of: Self.stream)
                log.append("sealed \(base)")
            } catch {
                log.append("sealing \(base) failed: \(error)")
            }
        }
    }

    private func synchronize() throws {
        guard let (_, writer, sealer) = open else { return }
        if isDoubtPending {
            writer.roll()
            seal()
        }
        do {
            try sealer.synchronize()
            log.append("synced")
            model.synced()
            if isDoubtPending, !sealer.isDirty, files.failureRate == 0 {
                isDoubtPending = false
                model.doubtsSettled()
            }
        } catch {
            log.append("sync failed: \(error)")
            model.syncFailed()
            isDoubtPending = true
        }
    }

    private func trim() throws {
        guard open != nil else { return }
        log.append("trim")
        let rate = files.failureRate
        files.failureRate = 0
        files.callsUntilDeath = nil
        defer { files.failureRate = rate }
        let tight = Retention(store: store) { [random] _ in
            var random = random
            return Quota(bytes: Int.random(in: 10_000...60_000, using: &random))
        }
        let freed = try tight.enforceAll(now: clock.time)
        guard freed.files > 0 else { return }
        let found = try read(from: .start)
        let all = model.expected(from: .start)
        try check(isPart(found.entries, of: all), "after trimming, what was never there: \(brief(found.entries))")
        log.append("freed \(freed.files)")
        model.adopt(found.entries, next: model.next)
    }

    private func closeCleanly() throws {
        guard let open, files.failureRate == 0, !isDoubtPending else { return }
        do {
            try open.sealer.synchronize()
            model.synced()
            try open.vm.closeCleanly()
            log.append("closed cleanly")
        } catch {
            log.append("not closed: \(error)")
            mayBeClean = isDoubtPending == false && model.isAllSynced
            return
        }
        isClean = true
        self.open = nil
        hostBoot += chance(1, in: 2) ? 1 : 0
        files.processDies()
        try restart(afterHost: false)
    }

    private func processDies() throws {
        files.processDies()
        try restart(afterHost: false)
    }

    // MARK: - Restarting

    private func restart(afterHost hostDied: Bool) throws {
        var hostDied = hostDied
        if hostDied {
            hostBoot += 1
        }
        files.failureRate = 0
        open = nil
        for _ in 0..<100 {
            if chance(1, in: 6) {
                files.callsUntilDeath = Int.random(in: 1...40, using: &random)
            }
            do {
                let vm = try VMStore(
                    store: store,
                    name: "web",
                    hostBoot: "\(hostBoot)",
                    now: clock.time,
                    pairTarget: isFast ? StoreLimits.pairTarget : StoreLimits.blockTarget
                )
                let writer = try vm.open(.console0, properties: properties, now: clock.time)
                // The first call is the sealer's, for the size of its segments, which are small; nothing is evicted.
                let asks = AskCount()
                let retention = Retention(store: store) { _ in Quota(bytes: asks.isFirst() ? 16_000 : 1 << 30) }
                open = (vm, writer, Sealer(store: store, retention: retention, clock: clock))
                // A call whose failure does not matter may have been the last.
                guard !files.isDead else {
                    throw SystemError("dead", code: SystemError.inputOutput)
                }
                files.callsUntilDeath = nil
                break
            } catch {
                try check(files.isDead, "does not open: \(error)")
                log.append("died while opening: \(error)")
                files.processDies()
                if chance(1, in: 4) {
                    log.append("host too")
                    files.hostDies()
                    hostBoot += 1
                    hostDied = true
                }
            }
        }
        log.append("opened at \(open?.writer.nextOffset ?? 0)")
        defer {
            isClean = false
            mayBeClean = false
        }
        if hostDied {
            try settleAfterHost()
        } else {
            try settleAfterProcess()
        }
        ghosts.removeAll()
        seal()
    }

    private func settleAfterProcess() throws {
        let found = try read(from: .start).entries
        let next = open?.writer.nextOffset ?? 0
        var candidates = [model]
        for ghost in ghosts where next > model.next && next - model.next <= UInt64(ghost.count) {
            var with = model
            with.appended(Array(ghost.prefix(Int(next - model.next))))
            candidates.append(with)
        }
        for id in triedMarkers where !model.knows(marker: id) {
            var with = model
            with.marked(id)
            candidates.append(with)
        }
        guard
            let true_ = candidates.first(where: { $0.next == next && $0.expected(from: .start) == $0.numbered(found) })
        else {
            throw Broken(
                description:
                    "after the process's death at \(next): \(brief(found)), not \(brief(model.expected(from: .start)))"
            )
        }
        model = true_
    }

    private func settleAfterHost() throws {
        isDoubtPending = false
        let found = try read(from: .start).entries
        for entry in found {
            switch entry.content {
            case .bytes(let bytes):
                try check(model.wereGiven(bytes, at: entry.offset), "never given: \(brief([entry]))")
            case .marker(let id, _):
                try check(id == 0 || triedMarkers.contains(id), "a marker never set: \(id)")
            }
        }
        var promised = model
        promised.keepSynced()
        let kept = promised.expected(from: .start)
        try check(isPart(kept, of: found), "synced but gone: \(brief(kept)), found \(brief(found))")
        let next = open?.writer.nextOffset ?? 0
        if isClean || (mayBeClean && next == model.next) {
            try check(next >= model.next, "continues at \(next), below \(model.next)")
        } else if highest > 0 {
            try check(
                next % StoreLimits.restartStride == 0 && next >= highest,
                "continues at \(next), below \(highest)"
            )
            try check(found.last?.content == .marker(id: 0, number: 0), "no marker after the jump")
        }
        model.adopt(found, next: next)
        highest = max(highest, next)
        follower = StreamBatches(store.reader(of: Self.stream), from: follower.cursor)
    }

    // MARK: - Reading

    private func read(from cursor: Cursor) throws -> (entries: [StoreModel.Entry], holes: [Batch.Missing], end: Cursor)
    {
        try read(StreamBatches(store.reader(of: Self.stream), from: cursor))
    }

    private func read(_ follower: StreamBatches) throws -> (
        entries: [StoreModel.Entry], holes: [Batch.Missing], end: Cursor
    ) {
        // The reader is another process: it neither dies with the writer nor has its failures.
        let death = files.callsUntilDeath
        files.callsUntilDeath = nil
        defer { files.callsUntilDeath = death }
        var entries: [StoreModel.Entry] = []
        var holes: [Batch.Missing] = []
        for _ in 0..<10_000 {
            guard let batch = try follower.next() else {
                return (entries, holes, follower.cursor)
            }
            holes += batch.missing
            let block = batch.block
            var position = batch.start
            for record in block.records[batch.firstRecord...] {
                if record.isMarker {
                    let gap = RecordDetail(decoding: record.detail).gap
                    let id = gap?.reason == .hostRestart ? 0 : gap?.bytes ?? .max
                    entries.append(
                        .init(offset: record.offset, content: .marker(id: id, number: model.number(of: id)))
                    )
                } else {
                    let from = max(record.offset, position)
                    let text = block.text[Int(from - block.offset)..<Int(record.end - block.offset)]
                    StoreModel.add(Array(text), at: from, to: &entries)
                    position = record.end
                }
            }
            if chance(1, in: 3) {
                cursors.append(follower.cursor)
            }
        }
        throw Broken(description: "a follower that never ends, at \(follower.cursor)")
    }

    private func verify() throws {
        guard !files.isDead else { return }
        try verify(from: .start)
        for cursor in cursors.shuffled(using: &random).prefix(3) {
            try verify(from: cursor)
        }
        if cursors.count > 30 {
            cursors.removeFirst(10)
        }
        try poll()
        let death = files.callsUntilDeath
        files.callsUntilDeath = nil
        defer { files.callsUntilDeath = death }
        var covered: UInt64 = 0
        for summary in try store.reader(of: Self.stream).summaries() {
            try check(
                summary.offset >= covered && summary.end >= summary.offset,
                "summaries overlap at \(summary.offset)"
            )
            covered = summary.end
        }
    }

    private func verify(from cursor: Cursor) throws {
        let found = try read(from: cursor)
        let expected = model.expected(from: cursor)
        try check(found.entries == expected, "from \(cursor): \(brief(found.entries)), not \(brief(expected))")
        // Holes are reported exactly where positions are missing, and jumps are not holes.
        var holes: [Range<UInt64>] = []
        var jumps: [Range<UInt64>] = []
        var position = cursor.offset
        for entry in expected {
            if entry.offset > position {
                let isJump = entry.offset % StoreLimits.restartStride == 0
                isJump ? jumps.append(position..<entry.offset) : holes.append(position..<entry.offset)
            }
            position = entry.end
        }
        // A range that retention removed before a jump ends somewhere before it.
        let reported = found.holes.map { $0.from..<$0.to }.filter { hole in
            !jumps.contains { $0.clamped(to: hole) == hole }
        }
        let agree = joined(reported).elementsEqual(joined(holes)) { reported, hole in
            // Data lost together with a jump are reported from that jump on.
            reported == hole
                || reported == max(hole.lowerBound, StoreLimits.lastJump(before: hole.upperBound))..<hole.upperBound
        }
        try check(agree, "holes \(reported), not \(holes)")
    }

    /// Holes without the bounds between them: one with two reasons is reported in two parts, and a marker may divide
    /// one.
    private func joined(_ holes: [Range<UInt64>]) -> [Range<UInt64>] {
        holes.reduce(into: []) { joined, hole in
            if let last = joined.last, last.upperBound == hole.lowerBound {
                joined[joined.count - 1] = last.lowerBound..<hole.upperBound
            } else {
                joined.append(hole)
            }
        }
    }

    /// The follower that exists throughout the history.
    private func poll() throws {
        guard !files.isDead else { return }
        let cursor = follower.cursor
        let expected = model.expected(from: cursor)
        let found = try read(follower).entries
        try check(found == expected, "follower at \(cursor): \(brief(found)), not \(brief(expected))")
    }

    // MARK: - Comparing

    /// Whether `part` is in `whole`: every marker, and every byte at its position.
    private func isPart(_ part: [StoreModel.Entry], of whole: [StoreModel.Entry]) -> Bool {
        // A marker may divide bytes in one and not in the other.
        var runs: [StoreModel.Entry] = []
        for entry in whole {
            if case .bytes(let bytes) = entry.content { StoreModel.add(bytes, at: entry.offset, to: &runs) }
        }
        return part.allSatisfy { entry in
            guard case .bytes(let bytes) = entry.content else { return whole.contains(entry) }
            return runs.contains { run in
                guard case .bytes(let others) = run.content else { return false }
                return run.offset <= entry.offset && entry.end <= run.end
                    && others[Int(entry.offset - run.offset)...].prefix(bytes.count).elementsEqual(bytes)
            }
        }
    }

    private func brief(_ entries: [StoreModel.Entry]) -> String {
        entries.map { entry in
            switch entry.content {
            case .bytes(let bytes): "\(entry.offset)+\(bytes.count)"
            case .marker(let id, let number): "m\(id)@\(entry.offset).\(number)"
            }
        }.joined(separator: " ")
    }
}
