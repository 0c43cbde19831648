// SPDX-License-Identifier: Apache-2.0

import Capture
import Glibc
import LogModel
import SystemIO
import TestSupport
import TestTraits
import Testing
import TextFormats

@testable import GuestCollector

/// Guests that send to journald's protocol, which must not wait, while the store cannot open their streams.
@Suite(.blocking) struct UnopenedStreamTests {
    private let fileSystem = FaultyFileSystem()

    private func entry(size: Int) -> String {
        "PRIORITY=4\nMESSAGE=\(String(repeating: "x", count: size))\n\n"
    }

    /// Sends 20 entries of `size` bytes, by several connections in turn, while no stream can be opened; returns how many
    /// were stored afterwards, and how many the gaps count.
    private func send(size: Int, connections: Int, limits: GuestLimits = .default) throws -> (stored: Int, lost: Int) {
        let fixture = try CollectorFixture(limits: limits, fileSystem: fileSystem)
        defer { fileSystem.set(.healthy) }
        fileSystem.set(.failing(EIO))
        let ends = try (0..<connections).map { _ in try GuestEnd(fixture.socket) }
        for number in 0..<20 {
            ends[number % connections].send(entry(size: size))
        }
        ends.forEach { $0.finish() }
        fileSystem.set(.healthy)
        var (stored, lost) = (0, 0)
        let isComplete = try eventually(within: 600) {
            let text = try fixture.stored(.journal)
            stored = text.bytes.count { $0 == Lines.feed }
            lost = text.gaps.reduce(0) { $0 + Int($1.lines) }
            return stored + lost >= 20
        }
        #expect(isComplete && stored + lost == 20)
        return (stored, lost)
    }

    /// A connection that takes everything.
    private final class Host: ConversationHost {
        func send(_ bytes: [UInt8]) {}
        func resume() {}
        func schedule(afterMicroseconds delay: Int64, _ body: @escaping () -> Void) {}
    }

    @Test("records that wait for their stream take limited memory, of all connections together")
    func memory() throws {
        let fixture = try CollectorFixture(fileSystem: fileSystem)
        defer { fileSystem.set(.healthy) }
        fileSystem.set(.failing(EIO))
        // The loop does not run: what it is told comes later.
        let loop = try EventLoop()
        let guest = GuestState(VMIdentity(name: "db"), capture: fixture.capture, loop: loop, limits: .default)
        defer { guest.close() }
        let log = try guest.log(.journal)
        let host = Host()
        let ingests = (0..<3).map { _ in RecordIngest(log, guest: guest, policy: .drop, host: host) }
        let text = [UInt8](repeating: UInt8(ascii: "x"), count: 1 << 20)
        let record = StoredRecord(StructuredRecord([StructuredRecord.Field(Array("MESSAGE".utf8), [text])]), time: nil)
        for ingest in ingests {
            for _ in 0..<10 {
                ingest.add([record])
                #expect(ingest.advance() == .needsBytes)
            }
        }
        let sizes = ingests.map(\.memory)
        #expect((3 << 20...4 << 20).contains(sizes.reduce(0, +)), "\(sizes) bytes wait")
    }

    @Test("what does not fit is counted in a gap after the records that waited", arguments: [1, 4])
    func loss(connections: Int) throws {
        let (stored, lost) = try send(size: 1 << 20, connections: connections)
        // The last one of each connection may have arrived after the stream was opened.
        #expect(stored >= 3 && stored <= 4 + connections, "\(lost) are counted as lost")
    }

    @Test("the guest's rate limits the records that wait for their stream too")
    func rate() throws {
        var limits = GuestLimits.default
        limits.records = RateLimit(rate: 1, burst: 2)
        let (_, lost) = try send(size: 100_000, connections: 1, limits: limits)
        #expect(lost > 0)
    }
}
