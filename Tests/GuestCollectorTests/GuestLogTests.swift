// SPDX-License-Identifier: Apache-2.0

import Glibc
import GuestChannel
import LogModel
import LogStore
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import Capture
@testable import GuestCollector

/// One stream of a guest, over a file system whose faults are controlled.
@Suite(.blocking) struct GuestLogTests {
    private let fileSystem = FaultyFileSystem()

    /// Has `capture` store a console's line in the stream `guest` of `web`.
    private func putConsole(into capture: CaptureService) {
        let key = StreamKey(name: "web", stream: .guest)
        let shard = capture.shards[0]
        shard.loop.perform {
            let intake = try? capture.open(key, options: StreamOptions(), on: shard)
            Array("hello\n".utf8).withUnsafeBytes { intake?.put($0) }
            intake?.close()
        }
    }

    @Test("a stream that was refused is opened for the next connection when the reason is gone")
    func refused() throws {
        let fixture = try CollectorFixture()
        putConsole(into: fixture.capture)
        #expect(try eventually { try fixture.stored().bytes == Array("hello\n".utf8) })
        for _ in 0..<2 {
            let end = try GuestEnd(fixture.socket)
            end.send(.hello(AgentMessage.Hello(session: SessionID(1, 1))))
            #expect(end.isClosed())
        }
        let folder = fixture.store.folder(of: StreamID(vm: "web", stream: .guest))
        for name in try LinuxFileSystem().names(in: folder) {
            unlink(folder + "/" + name)
        }
        #expect(rmdir(folder) == 0)
        let isWelcome = try eventually {
            let end = try GuestEnd(fixture.socket)
            end.send(.hello(AgentMessage.Hello(session: SessionID(1, 1))))
            return try end.message() != nil
        }
        #expect(isWelcome)
    }

    /// A record of the session `session`, before which the guest's kernel lost `lost`.
    private func record(_ session: UInt64, _ number: UInt64, lost: UInt64 = 0, size: Int = 1) -> StoredRecord {
        var record = GuestRecord(content: [UInt8](repeating: UInt8(ascii: "x"), count: size), source: .kernel)
        record.sequence = number
        record.lost = lost
        return StoredRecord(record, session: SessionID(session, session))
    }

    @Test("a loss that a guest reports is marked once, though several connections wait with theirs")
    func lossOnce() throws {
        let fixture = try CollectorFixture(fileSystem: fileSystem)
        defer { fileSystem.set(.healthy) }
        let (capture, loop) = (fixture.capture, fixture.collector.eventLoop)
        nonisolated(unsafe) var log: GuestLog?
        loop.perform { log = try? GuestLog(StreamKey(name: "db", stream: .guest), capture: capture, loop: loop) }
        defer { loop.perform { log?.close() } }
        #expect(eventually { loop.perform { log?.isOpen == true } })
        fileSystem.set(.hanging)
        let large = (1...5).map { record(9, $0, size: 1 << 20) }
        let losing = [record(1, 1, lost: 5, size: 1 << 20), record(2, 1, lost: 7, size: 1 << 20)]
        func add(_ record: StoredRecord) -> GuestLog.AddResult? {
            loop.perform { log?.add([record]) {} }
        }
        #expect(large.map(add).last == .full(0))
        for _ in 0..<3 {
            #expect(losing.map(add) == [.full(0), .full(0)])
        }
        fileSystem.set(.healthy)
        #expect(eventually { losing.map(add) == [.accepted, .accepted] })
        // Space may come between the two, and the second one may take it.
        #expect(try eventually { try fixture.stored(of: "db").gaps.map(\.lines).sorted() == [5, 7] })
    }
}
