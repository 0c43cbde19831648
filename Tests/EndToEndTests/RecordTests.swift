// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import LogStore
import TestSupport
import TestTraits
import Testing

/// The fed records of one stream, read as they are committed: each is compared, and read once.
private struct FedStream {
    let stream: Int
    private let store: Store
    private var cursor = Cursor.start
    private var incomplete: [UInt8] = []
    /// The number of the next record.
    private(set) var next = 0
    private(set) var fault: String?

    init(_ stream: Int, _ store: Store) {
        (self.stream, self.store) = (stream, store)
    }

    mutating func poll() throws {
        let id = StreamID(vm: "vm", stream: FedRecords.name(of: stream))
        guard fault == nil, store.vm(in: id.vm) != nil, try store.streams(of: id.vm).contains(id) else {
            return
        }
        let follower = StreamBatches(store.reader(of: id), from: cursor)
        while let batch = try follower.next() {
            if !batch.missing.isEmpty {
                fault = "bytes \(batch.missing) are gone"
            }
            incomplete.append(contentsOf: batch.block.text[Int(batch.start - batch.block.offset)...])
            compare()
        }
        cursor = follower.cursor
    }

    private mutating func compare() {
        var start = 0
        while let feed = incomplete[start...].firstIndex(of: Lines.feed) {
            if !incomplete[start..<feed].elementsEqual(FedRecords.line(stream, next)) {
                fault =
                    fault
                    ?? "record \(next) is \(String(decoding: incomplete[start..<feed].prefix(200), as: UTF8.self))"
            }
            next += 1
            start = feed + 1
        }
        incomplete.removeFirst(start)
    }
}

@Suite(.blocking, .serialized) struct RecordTests {
    @Test("500,000 records over 8 streams, fed by a source killed 100 times: each is stored once, in order")
    func kills() throws {
        let folder = TemporaryFolder()
        let perStream = 500_000 / FedRecords.streams
        let seed = Program.variable("GUESTLOG_SEED").flatMap { UInt64($0) } ?? UInt64.random(in: 0...UInt64.max)
        var generator = SeededGenerator(seed: seed)
        let store = Store(root: folder.path + "/store")
        let acknowledged = try AcknowledgedCounts(folder.path + "/acknowledged")
        var streams = (0..<FedRecords.streams).map { FedStream($0, store) }
        func feeder() -> ChildProcess {
            let program = Program.built("RecordFeeder")
            return ChildProcess([program, folder.path, String(perStream), "2000"], name: "feeder", in: folder.path)
        }
        for kill in 1...100 {
            let feeder = feeder()
            usleep(UInt32.random(in: 0..<300_000, using: &generator))
            feeder.stop(SIGKILL)
            for index in streams.indices {
                try streams[index].poll()
                #expect(streams[index].fault == nil, "stream \(index), kill \(kill), GUESTLOG_SEED=\(seed)")
                #expect(
                    streams[index].next >= acknowledged[index],
                    "an acknowledged record is not stored: stream \(index), kill \(kill), GUESTLOG_SEED=\(seed)"
                )
            }
            try #require(streams.allSatisfy { $0.fault == nil })
        }
        let last = feeder()
        #expect(last.wait(within: 300) == 0, "\(last.standardError)")
        for index in streams.indices {
            try streams[index].poll()
            #expect(streams[index].fault == nil && streams[index].next == perStream, "stream \(index), seed \(seed)")
            #expect(acknowledged[index] == perStream)
        }
        let configuration = folder.path + "/guestlog.yaml"
        FileText.write("store: \(folder.path)/store\n", to: configuration)
        let words = ["logs", "vm", "SEQ=123456", "-o", "raw", "--config", configuration]
        let logs = ChildProcess([Program.guestlog] + words, name: "logs", in: folder.path)
        #expect(logs.wait() == 0, "\(logs.standardError)")
        let (stream, number) = (123_456 % FedRecords.streams, 123_456 / FedRecords.streams)
        #expect(logs.output == FedRecords.line(stream, number) + [Lines.feed])
    }
}
