// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import Synchronization
import SystemIO
import Testing
import TestSupport

@testable import LogStore

/// A clock that is set by a test.
final class ManualClock: HostClock {
    private let now: Atomic<Int64>

    init(_ now: Int64 = 1_700_000_000_000_000) {
        self.now = Atomic(now)
    }

    func wallMicroseconds() -> Int64 { now.load(ordering: .relaxed) }
    func monotonicMicroseconds() -> Int64 { now.load(ordering: .relaxed) }
    func advance(_ microseconds: Int64) { now.wrappingAdd(microseconds, ordering: .relaxed) }
    var time: Timestamp { Timestamp(microseconds: wallMicroseconds()) }
}

/// One VM with one stream, its sealer, and a clock that advances a millisecond with each append.
final class StoreFixture {
    let store: Store
    let clock: ManualClock
    private var writing: (vm: VMStore, writer: StreamWriter, sealer: Sealer)?
    let stream = StreamID(vm: "web", stream: .console0)
    let retention: Retention
    private let pairTarget: Int

    init(
        root: String,
        fileSystem: any FileSystem = LinuxFileSystem(),
        quota: Quota = .default,
        hostBoot: String = "boot-1",
        properties: StreamProperties = StreamProperties(),
        clock: ManualClock = ManualClock(),
        pairTarget: Int = StoreLimits.blockTarget
    ) throws {
        self.pairTarget = pairTarget
        store = Store(root: root, fileSystem: fileSystem)
        self.clock = clock
        retention = Retention(store: store) { _ in quota }
        try restart(hostBoot: hostBoot, properties: properties)
    }

    /// Appends much text, sealing meanwhile as the daemon does: unsealed pairs count against the quota too.
    func pour(_ bytes: [UInt8]) throws {
        for start in stride(from: 0, to: bytes.count, by: 100_000) {
            try append(Array(bytes[start..<min(bytes.count, start + 100_000)]))
            try sealAndSync()
        }
    }

    /// Discards everything in memory, as a crash of the process does, and opens the store again.
    func restart(hostBoot: String = "boot-1", properties: StreamProperties = StreamProperties()) throws {
        // The lock is released with its descriptor.
        writing = nil
        let vm = try VMStore(
            store: store,
            name: "web",
            hostBoot: hostBoot,
            now: clock.time,
            pairTarget: pairTarget
        )
        let writer = try vm.open(.console0, properties: properties, now: clock.time)
        writing = (vm, writer, Sealer(store: store, retention: retention, clock: clock))
    }

    /// Gives up the VM's lock.
    func close() { writing = nil }

    var vm: VMStore { writing!.vm }
    var writer: StreamWriter { writing!.writer }
    var sealer: Sealer { writing!.sealer }
    var layout: StreamLayout { StreamLayout(path: writer.path) }
    var reader: StreamReader { store.reader(of: stream) }

    func append(_ text: String) throws { try append(Array(text.utf8)) }

    func append(_ bytes: [UInt8], detail: RecordDetail? = nil) throws {
        clock.advance(1000)
        try bytes.withUnsafeBytes { try writer.append($0, time: clock.time, detail: detail) }
    }

    func mark(_ event: BootEvent) throws {
        clock.advance(1000)
        let boot = BootDetail(event: event, position: writer.nextOffset)
        try writer.mark(RecordDetail(boot: boot), time: clock.time)
    }

    func markGap(_ bytes: UInt64, _ reason: GapReason = .rateLimit) throws {
        let gap = GapDetail(reason: reason, bytes: bytes, lines: 0, since: clock.time, isClosed: true)
        try writer.mark(RecordDetail(gap: gap), time: clock.time)
    }

    func seal() throws {
        for base in writer.takeClosedPairs() {
            try sealer.seal(base, of: stream)
        }
    }

    func sealAndSync() throws {
        try seal()
        try sealer.synchronize()
    }

    func read(from cursor: Cursor = .start) throws -> Reading {
        try Reading(StreamBatches(reader, from: cursor))
    }

    func names() throws -> [String] { try store.fileSystem.names(in: writer.path).sorted() }
}

/// Everything that a follower returns until its end.
struct Reading {
    /// One entry per piece: bytes at a position, or a marker there.
    enum Piece: Equatable {
        case bytes(UInt64, [UInt8])
        case marker(UInt64, GapDetail?, BootDetail?)
    }

    var bytes: [UInt8] = []
    var markers: [Piece] = []
    var missing: [Batch.Missing] = []
    var cursors: [Cursor] = []
    var records: [IndexRecord] = []
    /// The positions of `bytes`, as ranges.
    var runs: [Range<UInt64>] = []

    init(_ follower: StreamBatches, limit: Int = 100_000) throws {
        cursors.append(follower.cursor)
        for _ in 0..<limit {
            guard let batch = try follower.next() else {
                return
            }
            take(batch)
        }
        Issue.record("a follower without an end at \(follower.cursor)")
    }

    mutating func take(_ batch: Batch) {
        let block = batch.block
        bytes.append(contentsOf: block.text[Int(batch.start - block.offset)...])
        if batch.start < block.end {
            if let last = runs.last, last.upperBound == batch.start {
                runs[runs.count - 1] = last.lowerBound..<block.end
            } else {
                runs.append(batch.start..<block.end)
            }
        }
        for record in block.records[batch.firstRecord...] {
            records.append(record)
            if record.isMarker {
                let detail = RecordDetail(decoding: record.detail)
                markers.append(.marker(record.offset, detail.gap, detail.boot))
            }
        }
        missing += batch.missing
        cursors.append(batch.next)
    }

    var text: String { String(decoding: bytes, as: UTF8.self) }
    var gaps: [GapDetail] {
        markers.compactMap { if case .marker(_, let gap?, _) = $0 { gap } else { nil } }
    }
    var boots: [BootDetail] {
        markers.compactMap { if case .marker(_, _, let boot?) = $0 { boot } else { nil } }
    }
}

/// Lines that differ, about 80 bytes each, `count` bytes in total.
func consoleText(_ count: Int, from number: Int = 0) -> [UInt8] {
    var text: [UInt8] = []
    var line = number
    while text.count < count {
        let noise = String(UInt64(line + 1) &* 0x9e37_79b9_7f4a_7c15, radix: 16)
        text.append(contentsOf: "[ \(line).000123] systemd[1]: Started unit number \(line) \(noise)\n".utf8)
        line += 1
    }
    return Array(text.prefix(count))
}

/// Lines as of `consoleText`, repeated after 1 MiB: much text, made quickly.
func repeatedText(_ count: Int) -> [UInt8] {
    var text: [UInt8] = []
    text.reserveCapacity(count)
    while text.count < count {
        text.append(contentsOf: consoleMebibyte.prefix(count - text.count))
    }
    return text
}

private let consoleMebibyte = consoleText(1 << 20)

/// Whether two long texts are equal, compared quickly.
func isSame(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    left.count == right.count
        && left.withUnsafeBytes { a in right.withUnsafeBytes { memcmp(a.baseAddress!, $0.baseAddress!, a.count) == 0 } }
}
