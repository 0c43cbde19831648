// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import LogStore
import Synchronization
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import Capture

/// Capture of records alone, over a file system whose faults are controlled.
private final class RecordFixture {
    let folder = TemporaryFolder()
    let fileSystem = FaultyFileSystem()
    private(set) var capture: CaptureService
    private let committed = Numbers()

    init() throws {
        capture = try Self.start(folder.path, fileSystem)
    }

    deinit {
        fileSystem.set(.healthy)
        capture.stop()
    }

    private static func start(_ folder: String, _ fileSystem: FaultyFileSystem) throws -> CaptureService {
        var options = CaptureService.Options(store: folder + "/store", inflight: folder + "/inflight")
        options.shards = 1
        options.fileSystem = fileSystem
        let capture = try CaptureService(options, diagnostics: Diagnostics(threshold: .error, sink: { _, _ in }))
        try capture.start()
        try capture.awaitStore()
        return capture
    }

    func restart() throws {
        capture.stop()
        capture = try Self.start(folder.path, fileSystem)
    }

    func open(_ stream: String = "records", _ options: RecordOptions = RecordOptions()) throws -> RecordIntake {
        try capture.openRecords(StreamKey(name: "vm", stream: StreamName(stream)!), options: options)
    }

    /// A batch of the records `numbers`, whose position is the number after the last.
    func batch(_ numbers: Range<Int>, padding: Int = 0) throws -> RecordBatch {
        var batch = RecordBatch(received: Timestamp(microseconds: 1_700_000_000_000_000))
        for number in numbers {
            let time = Timestamp(microseconds: 1_600_000_000_000_000 + Int64(number))
            let line = Self.line(number, padding: padding)
            #expect(try batch.append(Array(line.dropLast()), ownTime: time, position: [UInt8(number + 1)]))
        }
        return batch
    }

    static func line(_ number: Int, padding: Int = 0) -> [UInt8] {
        Array(#"{"SEQ":"\#(number)","P":"\#(String(repeating: "x", count: padding))"}"#.utf8) + [Lines.feed]
    }

    /// Notes a committed batch that begins with `number`.
    func noteCommit(of number: Int) -> @Sendable () -> Void {
        { [committed] in committed.append(number) }
    }

    var commits: [Int] { committed.all }

    /// Stores a line of a console in a stream.
    func putConsole(_ stream: String) throws {
        let done = OneShot()
        let (capture, shard) = (capture, capture.shards[0])
        shard.loop.post {
            let key = StreamKey(name: "vm", stream: StreamName(stream)!)
            let intake = try? capture.open(key, options: StreamOptions(), on: shard)
            Array("hello\n".utf8).withUnsafeBytes { intake?.put($0) }
            intake?.close()
            done.signal()
        }
        done.wait()
        #expect(try eventually { try stored(stream).bytes == Array("hello\n".utf8) })
    }

    func stored(_ stream: String = "records") throws -> StoredText {
        try StoredText(of: StreamID(vm: "vm", stream: StreamName(stream)!), in: Store(root: folder.path + "/store"))
    }
}

/// Numbers that several threads add.
private final class Numbers: Sendable {
    private let numbers = Mutex<[Int]>([])

    var all: [Int] { numbers.withLock { $0 } }

    func append(_ number: Int) {
        numbers.withLock { $0.append(number) }
    }
}

@Suite(.blocking) struct RecordIntakeTests {
    @Test("a batch is one index record with its position, its own times and its time of receipt")
    func batches() throws {
        let fixture = try RecordFixture()
        let intake = try fixture.open()
        #expect(try intake.resumePosition() == nil)
        try intake.append(fixture.batch(0..<3), onCommitted: fixture.noteCommit(of: 0))
        try intake.append(fixture.batch(3..<5), onCommitted: fixture.noteCommit(of: 3))
        #expect(eventually { fixture.commits == [0, 3] })
        let stored = try fixture.stored()
        #expect(stored.bytes == (0..<5).flatMap { RecordFixture.line($0) })
        #expect(stored.markers.map(\.detail.source) == [[3], [5]])
        let own = stored.markers.map { $0.detail.ownTime?.upperBound.microseconds }
        #expect(own == [1_600_000_000_000_002, 1_600_000_000_000_004])
        let properties = fixture.capture.store.properties(of: StreamID(vm: "vm", stream: StreamName("records")!))
        #expect(properties == StreamProperties(encoding: .json, clock: .own, isReplayable: true))
    }

    @Test("the position that was committed last is known after a restart, and after the stream was closed")
    func resume() throws {
        let fixture = try RecordFixture()
        let first = try fixture.open()
        try first.append(fixture.batch(0..<3))
        first.close()
        let second = try fixture.open()
        #expect(try second.resumePosition() == [3])
        try second.append(fixture.batch(3..<7))
        try fixture.restart()
        #expect(try fixture.open().resumePosition() == [7])
    }

    @Test("what cannot be a record is refused; what does not fit into a batch begins the next")
    func limits() throws {
        var batch = RecordBatch(received: Timestamp(microseconds: 0))
        #expect(throws: RecordError.severalLines) { _ = try batch.append([1, Lines.feed, 2]) }
        #expect(throws: RecordError.positionTooLong(201)) {
            _ = try batch.append([1], position: Array(repeating: 0, count: 201))
        }
        let longest = [UInt8](repeating: 1, count: RecordBatch.recordLimit - 1)
        #expect(throws: RecordError.tooLong(RecordBatch.recordLimit + 1)) { _ = try batch.append(longest + [1]) }
        #expect(batch.text.isEmpty && batch.count == 0)
        #expect(try batch.append(longest), "alone in a batch, a record may have any size up to the limit")
        #expect(try !batch.append([1]))
        var small = RecordBatch(received: Timestamp(microseconds: 0))
        for _ in 0..<RecordBatch.countLimit {
            #expect(try small.append([]))
        }
        #expect(try !small.append([]))
    }

    @Test("while the disk hangs, what waits is limited, and the sources wait; nothing is lost, and the order is kept")
    func hangingDisk() throws {
        let fixture = try RecordFixture()
        let intakes = try (0..<8).map { try fixture.open("records\($0)") }
        for intake in intakes {
            _ = try intake.resumePosition()
        }
        fixture.fileSystem.set(.hanging)
        var accepted = [Int](repeating: 0, count: intakes.count)
        let calls = Numbers()
        for (number, intake) in intakes.enumerated() {
            while try intake.offer(
                fixture.batch(accepted[number]..<accepted[number] + 1, padding: 100_000),
                onSpace: { calls.append(number) }
            ) == .accepted {
                accepted[number] += 1
            }
        }
        let bytes = accepted.reduce(0, +) * 100_000
        #expect(bytes <= 16 << 20 && bytes > 15 << 20, "\(bytes) bytes accepted by all streams together")
        #expect(accepted.allSatisfy { $0 * 100_000 <= RecordIntake.limit })
        #expect(calls.all.isEmpty)
        fixture.fileSystem.set(.healthy)
        #expect(eventually { Set(calls.all) == Set(intakes.indices) }, "a waiting source was not woken")
        for (number, intake) in intakes.enumerated() {
            try intake.append(fixture.batch(accepted[number]..<accepted[number] + 1, padding: 100_000))
            intake.close()
            let expected = (0...accepted[number]).flatMap { RecordFixture.line($0, padding: 100_000) }
            let isExact = try eventually { try fixture.stored("records\(number)").bytes == expected }
            #expect(isExact)
        }
    }

    @Test(
        "while the disk is full or fails, no record is lost or acknowledged, and all are stored afterwards",
        arguments: [ENOSPC, EIO]
    )
    func failingDisk(code: Int32) throws {
        let fixture = try RecordFixture()
        let intake = try fixture.open()
        try intake.append(fixture.batch(0..<5), onCommitted: fixture.noteCommit(of: 0))
        #expect(eventually { fixture.commits == [0] })
        fixture.fileSystem.set(.failing(code))
        try intake.append(fixture.batch(5..<10), onCommitted: fixture.noteCommit(of: 5))
        // Longer than a block: a failure in its middle leaves its begin committed.
        try intake.append(fixture.batch(10..<11, padding: 1 << 20), onCommitted: fixture.noteCommit(of: 10))
        #expect(
            eventually { fixture.capture.problems.problem(of: VMIdentity(name: "vm"))?.contains("not stored") == true }
        )
        #expect(fixture.commits == [0])
        fixture.fileSystem.set(.healthy)
        #expect(eventually { fixture.commits == [0, 5, 10] })
        let stored = try fixture.stored()
        let expected = (0..<10).flatMap { RecordFixture.line($0) } + RecordFixture.line(10, padding: 1 << 20)
        let isExact = stored.bytes == expected
        #expect(isExact && stored.gaps.isEmpty)
        #expect(eventually { fixture.capture.problems.problem(of: VMIdentity(name: "vm")) == nil })
    }

    @Test("a loss before a batch is marked when the batch is accepted, once")
    func lossBeforeBatch() throws {
        let fixture = try RecordFixture()
        let intake = try fixture.open()
        _ = try intake.resumePosition()
        fixture.fileSystem.set(.hanging)
        var number = 0
        while try intake.offer(fixture.batch(number..<number + 1, padding: 1_000_000)) == .accepted {
            number += 1
        }
        let since = Timestamp(microseconds: 1_700_000_000_000_000)
        let gap = GapDetail(reason: .overflow, bytes: 10, lines: 1, since: since, isClosed: true)
        var batch = try fixture.batch(number..<number + 1, padding: 1_000_000)
        batch.addLoss(gap)
        for _ in 0..<3 {
            #expect(intake.offer(batch) == .full)
        }
        fixture.fileSystem.set(.healthy)
        try intake.append(batch, onCommitted: fixture.noteCommit(of: number))
        #expect(eventually { fixture.commits == [number] })
        let stored = try fixture.stored()
        #expect(stored.gaps == [gap])
        let index = stored.bytes.count - batch.text.count
        #expect(stored.markers.first { $0.detail.gap != nil }?.index == index)
    }

    @Test("small batches and markers give other streams their turns as soon as large ones do")
    func smallBatches() throws {
        let fixture = try RecordFixture()
        let (busy, other) = (try fixture.open("busy"), try fixture.open("other"))
        _ = (try busy.resumePosition(), try other.resumePosition())
        fixture.fileSystem.set(.hanging)
        let since = Timestamp(microseconds: 1_700_000_000_000_000)
        for number in 0..<5000 {
            let gap = GapDetail(reason: .overflow, bytes: 1, lines: 1, since: since, isClosed: true)
            busy.add(gap, position: [1])
            #expect(try busy.offer(fixture.batch(0..<1), onCommitted: fixture.noteCommit(of: number)) == .accepted)
        }
        try other.append(fixture.batch(0..<1), onCommitted: fixture.noteCommit(of: -1))
        fixture.fileSystem.set(.healthy)
        #expect(eventually { fixture.commits.count == 5001 })
        #expect(try #require(fixture.commits.firstIndex(of: -1)) < 1000)
    }

    @Test("all calls that wait for space are notified, though a batch of another fitted meanwhile")
    func severalWait() throws {
        let fixture = try RecordFixture()
        let intake = try fixture.open()
        _ = try intake.resumePosition()
        fixture.fileSystem.set(.hanging)
        var number = 0
        while try intake.offer(fixture.batch(number..<number + 1, padding: 1_000_000)) == .accepted {
            number += 1
        }
        for waiting in 1...2 {
            let batch = try fixture.batch(number..<number + 1, padding: 1_000_000)
            #expect(intake.offer(batch, onSpace: fixture.noteCommit(of: waiting)) == .full)
        }
        #expect(try intake.offer(fixture.batch(number..<number + 1)) == .accepted)
        fixture.fileSystem.set(.healthy)
        #expect(eventually { fixture.commits == [1, 2] })
    }

    @Test("losses that a source reports are one gap for each reason, however often it reports them")
    func reportedLosses() throws {
        let fixture = try RecordFixture()
        let intake = try fixture.open()
        _ = try intake.resumePosition()
        fixture.fileSystem.set(.hanging)
        try intake.append(fixture.batch(0..<1))
        for number in 0..<10_000 {
            let reason: GapReason = number % 2 == 0 ? .overflow : .rateLimit
            let since = Timestamp(microseconds: 1_700_000_000_000_000 + Int64(number))
            intake.add(GapDetail(reason: reason, bytes: 10, lines: 1, since: since, isClosed: true))
        }
        fixture.fileSystem.set(.healthy)
        #expect(try eventually { try fixture.stored().gaps.count == 2 })
        #expect(try fixture.stored().lostBytes == 100_000)
    }

    @Test("a loss with a position moves the source on: after a restart it is not reported again")
    func positionedLoss() throws {
        let fixture = try RecordFixture()
        let intake = try fixture.open()
        try intake.append(fixture.batch(0..<2))
        let since = Timestamp(microseconds: 1_700_000_000_000_000)
        let gap = GapDetail(reason: .agentOverflow, bytes: nil, lines: 7, since: since, isClosed: true)
        intake.add(gap, position: [9])
        intake.add(gap, position: [16])
        #expect(try eventually { try fixture.stored().gaps.map(\.lines) == [7, 7] })
        try fixture.restart()
        #expect(try fixture.open().resumePosition() == [16])
    }

    @Test("a console's stream takes no records, and a stream of records no console")
    func otherEncoding() throws {
        let fixture = try RecordFixture()
        try fixture.putConsole("console0")
        #expect(try eventually { try fixture.stored("console0").bytes == Array("hello\n".utf8) })
        let refused = try fixture.open("console0")
        let error = #expect(throws: SystemError.self) { _ = try refused.resumePosition() }
        #expect(error?.description.contains("contains a console's bytes; use another stream") == true)
        #expect(throws: SystemError.self) { try refused.append(fixture.batch(0..<1)) }
        refused.close()
        #expect(try fixture.stored("console0").bytes == Array("hello\n".utf8))
    }

    @Test("what waited for a stream that cannot be opened takes no memory from the others")
    func refusedMemory() throws {
        let fixture = try RecordFixture()
        try fixture.putConsole("console0")
        for _ in 0..<20 {
            let refused = try fixture.open("console0")
            while try refused.offer(fixture.batch(0..<1, padding: 1 << 20)) == .accepted {}
            #expect(throws: SystemError.self) { _ = try refused.resumePosition() }
            refused.close()
            // A second call must not close the stream that is opened next.
            refused.close()
        }
        let intake = try fixture.open()
        try intake.append(fixture.batch(0..<3), onCommitted: fixture.noteCommit(of: 0))
        #expect(eventually { fixture.commits == [0] })
    }

    @Test("a stop ends all waiting calls with an error")
    func stop() throws {
        let fixture = try RecordFixture()
        let intake = try fixture.open()
        _ = try intake.resumePosition()
        fixture.fileSystem.set(.hanging)
        while try intake.offer(fixture.batch(0..<1, padding: 100_000)) == .accepted {}
        let codes = Numbers()
        let batch = try fixture.batch(0..<1, padding: 100_000)
        let ended = OneShot()
        let source = try WorkerThread(name: "source") {
            do throws(SystemError) {
                try intake.append(batch)
            } catch {
                codes.append(Int(error.code))
            }
            ended.signal()
        }
        #expect(!fixture.capture.prepareToStop(within: 0))
        ended.wait()
        source.join()
        #expect(codes.all == [Int(ECANCELED)])
        #expect(try intake.offer(fixture.batch(0..<1)) == .ended)
        fixture.fileSystem.set(.healthy)
    }

    @Test("a stream that is closed and opened again at once keeps the order, though the disk hung between")
    func reopened() throws {
        let fixture = try RecordFixture()
        let first = try fixture.open()
        _ = try first.resumePosition()
        fixture.fileSystem.set(.failing(EIO))
        try first.append(fixture.batch(0..<5))
        first.close()
        let second = try fixture.open()
        fixture.fileSystem.set(.healthy)
        #expect(try second.resumePosition() == [5])
        try second.append(fixture.batch(5..<9))
        let expected = (0..<9).flatMap { RecordFixture.line($0) }
        #expect(try eventually { try fixture.stored().bytes == expected })
    }

    @Test("records of a VM that was deleted stay with it; those that follow belong to the next VM of its name")
    func deletedVM() throws {
        let fixture = try RecordFixture()
        let intake = try fixture.open()
        _ = try intake.resumePosition()
        // More than is committed in one turn.
        fixture.fileSystem.set(.hanging)
        try intake.append(fixture.batch(0..<1))
        for number in 1..<3 {
            try intake.append(fixture.batch(number..<number + 1, padding: 300_000))
        }
        let done = OneShot()
        fixture.capture.end(VMIdentity(name: "vm")) { _ in done.signal() }
        fixture.fileSystem.set(.healthy)
        done.wait()
        try intake.append(fixture.batch(3..<5), onCommitted: fixture.noteCommit(of: 3))
        #expect(eventually { fixture.commits == [3] })
        let before = RecordFixture.line(0) + (1..<3).flatMap { RecordFixture.line($0, padding: 300_000) }
        let isExact = try fixture.stored().bytes == before
        #expect(isExact)
        let next = StreamID(vm: "vm~1", stream: StreamName("records")!)
        let store = Store(root: fixture.folder.path + "/store")
        #expect(try StoredText(of: next, in: store).bytes == (3..<5).flatMap { RecordFixture.line($0) })
    }
}
