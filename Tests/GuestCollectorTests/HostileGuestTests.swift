// SPDX-License-Identifier: Apache-2.0

import Capture
import Glibc
import LogModel
import SystemIO
import TestSupport
import TextFormats
import TestTraits
import Testing

@testable import GuestChannel
@testable import GuestCollector

/// A guest that does its worst, beside one that logs: that one loses nothing, and the collector's memory stays limited.
///
/// `GUESTLOG_FIGURES=1` makes the attacks as large as they can be and prints the other guest's rate under each of them
/// (`scripts/bench-guests`).
@Suite("Hostile guests", .blocking)
struct HostileGuestTests {
    enum Attack: String, CaseIterable, Sendable {
        case none, connections, slowUploads, slowFrames, gzipBomb, lengthClaims, otherName
    }

    private static let isMeasured = getenv("GUESTLOG_FIGURES") != nil
    /// Records of the guest that logs, and their batches.
    private static let batches = isMeasured ? 600 : 30
    private static let batchSize = 100

    private func fixture() throws -> CollectorFixture {
        var limits = GuestLimits.default
        limits.records = RateLimit(rate: 1_000_000, burst: 1_000_000)
        limits.bytes = RateLimit(rate: 1 << 30, burst: 1 << 30)
        return try CollectorFixture(limits: limits) { folder in
            [CollectorOptions.Guest(vm: VMIdentity(name: "evil"), endpoint: .unix(path: folder + "/evil"))]
        }
    }

    private func batch(_ number: Int) -> AgentMessage {
        .records(
            (0..<Self.batchSize).map { index in
                let sequence = UInt64(number * Self.batchSize + index + 1)
                var record = GuestRecord(severity: .notice, content: Array("m\(sequence)".utf8), source: .syslog)
                record.sequence = sequence
                return record
            }
        )
    }

    /// The time in which the guest `web` has all of its records acknowledged, in seconds.
    private func log(_ fixture: CollectorFixture) throws -> Double {
        let end = try GuestEnd(fixture.socket)
        let start = SystemClock().monotonicMicroseconds()
        end.send(.hello(AgentMessage.Hello(session: SessionID(1, 1))))
        let batches = (0..<Self.batches).map(batch)
        for (number, message) in batches.enumerated() {
            end.send(message)
            // A few batches are on their way.
            if number >= 8 {
                #expect(try end.awaitAcknowledgement(UInt64((number - 7) * Self.batchSize)))
            }
        }
        #expect(try end.awaitAcknowledgement(UInt64(Self.batches * Self.batchSize)))
        return Double(SystemClock().monotonicMicroseconds() - start) / 1e6
    }

    private static var memory: Int {
        let file = try? StoredFile("/proc/self/statm", .read, on: LinuxFileSystem())
        let text = (try? file?.read(at: 0, count: 256)) ?? []
        let pages = String(decoding: text, as: UTF8.self).split(separator: " ").dropFirst().first
        return (pages.flatMap { Int($0) } ?? 0) * 4096
    }

    @Test("another guest's records are all stored, in order", arguments: Attack.allCases)
    func attacked(_ attack: Attack) throws {
        let fixture = try fixture()
        let attacker = Attacker(attack, socket: fixture.path + "/evil", isLarge: Self.isMeasured)
        let before = Self.memory
        try attacker.begin()
        let seconds = try log(fixture)
        let stored = try fixture.values()
        #expect(stored == (1...Self.batches * Self.batchSize).map { "m\($0)" })
        #expect(try fixture.stored().gaps.isEmpty)
        attacker.end()
        if Self.isMeasured {
            // Beside other suites it would be their memory too.
            #expect(Self.memory - before < 96 << 20)
            let rate = Int(Double(Self.batches * Self.batchSize) / seconds)
            print("hostile guest: \(attack.rawValue): \(rate) records/s of the other guest, \(attacker.rounds) rounds")
        }
        if attack == .otherName {
            #expect(try eventually { try fixture.values(of: "_HOSTNAME", in: .guest, from: "evil").contains("web") })
            #expect(try fixture.values(of: "_HOSTNAME", in: .guest, from: "web").isEmpty)
        }
    }

    /// What the headers claim as their payload's size, by their offset in the stream.
    enum Claim: CaseIterable, Sendable {
        case allBefore, nextByte, rest, most, page, nothing

        func size(at offset: Int, of count: Int) -> Int {
            switch self {
            case .allBefore: offset
            case .nextByte: count / 2 + 1
            case .rest: count - offset
            case .most: GuestFrame.limit - offset
            case .page: 4096
            case .nothing: 0
            }
        }
    }

    @Test(
        "frames in frames: the work for a byte is limited, whatever they claim",
        arguments: Claim.allCases,
        [1, 12, 1000, 64 << 10]
    )
    func nestedFrames(claim: Claim, pieces: Int) throws {
        let count = 64 << 10
        var stream: [UInt8] = []
        while stream.count < count {
            let size = claim.size(at: stream.count, of: count)
            let sizes = [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: size >> $0) }
            stream += GuestFrame.magic + sizes + [1, 2, 3, 4]
        }
        var decoder = FrameDecoder(resynchronizes: true)
        for start in stride(from: 0, to: stream.count, by: pieces) {
            stream[start...].prefix(pieces).withUnsafeBytes { decoder.append($0) }
            while try decoder.next() != nil {}
            _ = decoder.expire()
        }
        #expect(decoder.received == stream.count)
        #expect(decoder.checksummed <= FrameDecoder.checksumFactor * stream.count)
        #expect(decoder.scanned <= 2 * stream.count)
        // What follows is found again.
        var hello: [UInt8] = []
        GuestFrame.append([9], to: &hello)
        let end = [UInt8](repeating: 1, count: GuestFrame.limit) + hello
        end.withUnsafeBytes { decoder.append($0) }
        #expect(try decoder.next() == [9])
    }

    @Test("a compressed upload is refused before it is read")
    func gzipBomb() throws {
        let fixture = try fixture()
        let end = try GuestEnd(fixture.path + "/evil")
        end.send("POST /upload HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: 1000000\r\n\r\n")
        #expect(String(decoding: end.receive() ?? [], as: UTF8.self).hasPrefix("HTTP/1.1 415 "))
    }

    @Test("what is begun and not completed takes limited memory: the guest with the most loses its largest connection")
    func unfinished() throws {
        let fixture = try CollectorFixture(memory: 3 << 20) { folder in
            [CollectorOptions.Guest(vm: VMIdentity(name: "evil"), endpoint: .unix(path: folder + "/evil"))]
        }
        var record = GuestRecord(content: [UInt8](repeating: UInt8(ascii: "x"), count: 900_000), source: .syslog)
        record.sequence = 1
        var frame: [UInt8] = []
        GuestFrame.append(AgentMessage.records([record]).encoded, to: &frame)
        let other = try GuestEnd(fixture.socket)
        other.send(.hello(AgentMessage.Hello(session: SessionID(1, 1))))
        #expect(try other.message() != nil)
        other.send(Array(frame.prefix(850_000)))
        let ends = try [800_000, 820_000, 810_000].map { size in
            let end = try GuestEnd(fixture.path + "/evil")
            end.send(Array(frame.prefix(size)))
            return end
        }
        #expect(ends[1].isClosed())
        #expect(eventually { fixture.collector.state.connections == 3 })
        other.send(Array(frame.dropFirst(850_000)))
        #expect(try other.awaitAcknowledgement(1))
        #expect(fixture.collector.state.connections == 3)
    }

    /// Streams that become no record.
    enum Chaff: CaseIterable, Sendable {
        case faults, frames

        var head: [UInt8] {
            switch self {
            case .faults: Array("POST /upload HTTP/1.1\r\nContent-Length: 1000000000\r\n\r\n".utf8)
            case .frames: HTTP2Frame.preface
            }
        }

        var body: [UInt8] {
            switch self {
            case .faults:
                return Array(repeatElement("1\n\n", count: 20_000).joined().utf8)
            case .frames:
                var frames: [UInt8] = []
                (0..<5000).forEach { _ in HTTP2Frame.appendWindow(1, stream: 0, to: &frames) }
                return frames
            }
        }
    }

    @Test(
        "what becomes no record is not read beyond a guest's share of the collector's time",
        arguments: Chaff.allCases
    )
    func chaff(_ chaff: Chaff) throws {
        var limits = GuestLimits(
            bytes: RateLimit(rate: 1, burst: 1 << 20),
            records: .init(rate: 1, burst: 100),
            connections: 2
        )
        limits.recordTime = 2_000_000
        let fixture = try CollectorFixture(limits: limits) { folder in
            [CollectorOptions.Guest(vm: VMIdentity(name: "evil"), endpoint: .unix(path: folder + "/evil"))]
        }
        let end = try GuestEnd(fixture.path + "/evil")
        end.send(chaff.head)
        let limit = 16 << 20
        #expect(end.flood(chaff.body, limit: limit) { fixture.guest("evil") { !$0.allows() } } < limit)
        let other = try GuestEnd(fixture.socket)
        other.send(.hello(AgentMessage.Hello(session: SessionID(1, 1))))
        var record = GuestRecord(content: Array("m".utf8), source: .syslog)
        record.sequence = 1
        other.send(.records([record]))
        #expect(try other.awaitAcknowledgement(1))
        // It waits, and is not disconnected.
        #expect(fixture.collector.state.connections == 2)
    }

    @Test("a flood of entries is counted until that takes twice the guest's share; then its new connections are closed")
    func exhaustedByEntries() throws {
        var limits = GuestLimits(
            bytes: RateLimit(rate: 1, burst: 1 << 20),
            records: RateLimit(rate: 1, burst: 100),
            connections: 4
        )
        limits.recordTime = 200_000
        // On a clock that stands still nothing is made up for.
        let fixture = try CollectorFixture(limits: limits, clock: StoppedClock())
        let end = try GuestEnd(fixture.socket)
        let limit = 64 << 20
        let entries = Array(repeatElement("A=\n\n", count: 20_000).joined().utf8)
        #expect(end.flood(entries, limit: limit) { fixture.guest("web", \.isExhausted) } < limit)
        #expect(fixture.collector.state.connections == 1)
        #expect(try GuestEnd(fixture.socket).isClosed())
        #expect(fixture.collector.state.connections == 1)
    }

    @Test("a guest is exhausted when it has taken its share of the collector's time twice at once")
    func exhausted() {
        var limits = GuestLimits(
            bytes: RateLimit(rate: 0, burst: 1),
            records: RateLimit(rate: 1, burst: 10),
            connections: 1
        )
        (limits.recordTime, limits.byteTime) = (1000, 0)
        var meter = GuestMeter(limits, now: 0)
        /// Whether it may store records, and whether it is exhausted, so many seconds after the start.
        func state(after seconds: Int64 = 0) -> [Bool] {
            let now = seconds * 1_000_000
            return [meter.allows(at: now), meter.isExhausted(at: now)]
        }
        #expect(state() == [true, false])
        meter.spend(nanoseconds: 20_000)
        #expect(state() == [false, false])
        meter.spend(nanoseconds: 1)
        #expect(state() == [false, true])
        // A second is worth 1,000 ns.
        #expect(state(after: 1) == [false, false])
        // A flood of hours keeps the guest out for a second, and over its rate for a while.
        meter.spend(nanoseconds: 1_000_000_000_000)
        #expect(state(after: 1) == [false, true])
        #expect(state(after: 2) == [false, false])
        #expect(state(after: 13) == [true, false])
    }
}

/// Attacks the collector from a thread of its own.
private final class Attacker: @unchecked Sendable {
    // Sendable because `end` waits for the thread, which alone changes it meanwhile.

    private let attack: HostileGuestTests.Attack
    private let socket: String
    private let isLarge: Bool
    private let isEnding = OneShot()
    private var thread: WorkerThread?
    private var held: [GuestEnd] = []
    private(set) var rounds = 0

    init(_ attack: HostileGuestTests.Attack, socket: String, isLarge: Bool) {
        self.attack = attack
        self.socket = socket
        self.isLarge = isLarge
    }

    func begin() throws {
        thread = try WorkerThread(name: "attacker") { [self] in
            while !isEnding.wait(seconds: 0), rounds < (isLarge ? 10_000 : 300) {
                attackOnce()
                rounds += 1
            }
        }
    }

    func end() {
        isEnding.signal()
        thread?.join()
        held = []
    }

    private func attackOnce() {
        switch attack {
        case .none:
            WorkerThread.pause(microseconds: 1000)
        case .connections:
            // Opened, and left: those over the limit are closed by the collector.
            if let end = try? GuestEnd(socket) {
                held.append(end)
                held.removeFirst(max(0, held.count - 500))
            }
        case .slowUploads:
            hold(16) { $0.send("POST /upload HTTP/1.1\r\nX: ") }
            held.forEach { $0.send("y") }
            WorkerThread.pause(microseconds: 1000)
        case .slowFrames:
            hold(16) { $0.send(Array(GuestFrame.magic) + [0, 0x10, 0, 0, 1, 2, 3, 4]) }
            held.forEach { $0.send([7]) }
            WorkerThread.pause(microseconds: 1000)
        case .gzipBomb:
            let end = try? GuestEnd(socket)
            end?.send(
                "POST /upload HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
            )
            end?.send("ffff\r\n" + String(repeating: "\u{1f}", count: 65535) + "\r\n")
        case .lengthClaims:
            let end = try? GuestEnd(socket)
            end?.send(Array(GuestFrame.magic) + [0x7f, 0xff, 0xff, UInt8(rounds & 255), 0, 0, 0, 0])
            let field = try? GuestEnd(socket)
            field?.send(Array("MESSAGE\n".utf8) + [255, 255, 255, 255, 255, 255, 255, 127, 65, 65])
        case .otherName:
            hold(1) { end in
                end.send(.hello(AgentMessage.Hello(session: SessionID(1, 1), program: "web")))
            }
            var record = GuestRecord(content: Array("I am web".utf8), source: .syslog)
            record.hostname = Array("web".utf8)
            record.sequence = UInt64(rounds + 1)
            held.first?.send(.records([record]))
            WorkerThread.pause(microseconds: 1000)
        }
    }

    /// Has `count` connections open, each begun by `begin`.
    private func hold(_ count: Int, _ begin: (GuestEnd) -> Void) {
        while held.count < count, let end = try? GuestEnd(socket) {
            begin(end)
            held.append(end)
        }
    }
}
