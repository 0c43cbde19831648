import Capture
import ConsoleHub
import Glibc
import LogStore
import SystemIO
import TestSupport
import TestTraits
import Testing

@Suite(.blocking, .serialized) struct NeverStallTests {
    /// About 20 MB: many times what socket and ring can hold.
    private let lines = 300_000

    @Test("a store that hangs does not stop the guest, and every byte is stored or counted")
    func hangingStore() throws {
        let fixture = try GuestFixture()
        let first = fixture.talk(lines: 1000)
        first.join("the store sound")
        #expect(try eventually { try fixture.stored().bytes.count == first.bytes })
        fixture.fileSystem.set(.hanging)
        let guest = fixture.talk(lines: lines)
        // Returns only if the guest is never kept waiting for the store, for the store does not come back meanwhile.
        guest.join("the store hanging")
        fixture.fileSystem.set(.healthy)
        try fixture.expectAccounted(for: first, guest)
        #expect(try fixture.stored().gaps.allSatisfy { $0.reason == .overflow })
    }

    @Test(
        "a store that cannot be written does not stop the guest, and every byte is stored or counted",
        arguments: [ENOSPC, EROFS, EIO, EDQUOT]
    )
    func failingStore(code: Int32) throws {
        let fixture = try GuestFixture()
        fixture.fileSystem.set(.failing(code))
        let guest = fixture.talk(lines: lines)
        guest.join("the store failing with errno \(code)")
        fixture.fileSystem.set(.healthy)
        try fixture.expectAccounted(for: guest)
        #expect(try fixture.stored().gaps.contains { $0.reason == .storeFailure })
        #expect(eventually { fixture.capture.problems.all.isEmpty })
    }

    @Test("a store that cannot be opened at first is opened later, and every byte is stored or counted")
    func failingOpening() throws {
        let fixture = try GuestFixture(failing: ENOSPC)
        let guest = fixture.talk(lines: lines)
        guest.join("the store not open")
        #expect(fixture.capture.problems.all.contains { $0.subject == "store" })
        fixture.fileSystem.set(.healthy)
        try fixture.expectAccounted(for: guest)
        #expect(try fixture.stored().bytes.count > 0)
        #expect(eventually { fixture.capture.problems.all.isEmpty })
    }

    @Test("a store that fails in the middle keeps what it had and goes on when it can")
    func failureInTheMiddle() throws {
        let fixture = try GuestFixture()
        let guest = fixture.talk(pace: 1000)
        #expect(try eventually { try fixture.stored().bytes.count > 0 })
        for code in [ENOSPC, EIO, ENOSPC, EROFS] {
            fixture.fileSystem.set(.failing(code))
            #expect(eventually { !fixture.capture.problems.all.isEmpty })
            fixture.fileSystem.set(.healthy)
            #expect(eventually { fixture.capture.problems.all.isEmpty })
        }
        guest.stop()
        guest.join("the store failing now and then")
        try fixture.expectAccounted(for: guest)
    }

    @Test("fifty watchers that do not read stop nobody, and are told that they were cut off")
    func deafWatchers() throws {
        let fixture = try GuestFixture()
        var watchers: [Int32] = []
        for number in 0..<50 {
            let pair = try Descriptor.socketPair()
            #expect(fixture.hub.attach(fixture.key, try pair.second.duplicate(), as: .watch, who: "watcher \(number)"))
            watchers.append(try pair.first.duplicate().release())
        }
        let guest = fixture.talk(lines: lines)
        guest.join("50 watchers that do not read")
        try fixture.expectAccounted(for: guest)
        for watcher in watchers {
            var tail: [UInt8] = []
            let hasEnded = eventually {
                var buffer = [UInt8](repeating: 0, count: 1 << 16)
                let count = recv(watcher, &buffer, buffer.count, Int32(MSG_DONTWAIT))
                if count > 0 {
                    tail = (tail + buffer[..<count]).suffix(200)
                }
                return count == 0
            }
            #expect(hasEnded)
            #expect(String(decoding: tail, as: UTF8.self).contains("cut off"))
            close(watcher)
        }
    }

    @Test("a boot's marker that finds no room comes before the next byte that does")
    func markersWait() throws {
        let fixture = try GuestFixture()
        let first = fixture.talk(lines: 1000)
        first.join("the store sound")
        #expect(try eventually { try fixture.stored().bytes.count == first.bytes })
        fixture.fileSystem.set(.hanging)
        let guest = fixture.talk(lines: lines)
        guest.join("the store hanging")
        // The ring is full now, and the console is closed and given to another machine.
        let successor = try fixture.replaceConsole()
        let second = fixture.talk(lines: 1000, to: successor)
        second.join("the store hanging, after a boot")
        fixture.fileSystem.set(.healthy)
        try fixture.expectAccounted(for: first, guest, second)
        var boots: [BootEvent] = []
        let isReported = try eventually {
            boots = try fixture.stored().boots.map(\.event)
            return boots == [.powerOn, .closed, .powerOn]
        }
        #expect(isReported, "\(boots)")
        fixture.stop()
    }

    @Test("a flood over the rate limit is cut down to a few long gaps, and every byte is stored or counted")
    func flood() throws {
        let fixture = try GuestFixture(rate: RateLimit(rate: 1 << 20, burst: 2 << 20))
        let guest = fixture.talk(lines: lines)
        guest.join("over the rate")
        try fixture.expectAccounted(for: guest)
        let stored = try fixture.stored()
        #expect(stored.gaps.contains { $0.reason == .rateLimit })
        #expect(stored.gaps.count < 40, "\(stored.gaps.count) markers")
    }

    @Test("the stream's lines before and after a gap are whole where the gap's own edges allow")
    func gapIsWhereItBelongs() throws {
        let fixture = try GuestFixture(rate: RateLimit(rate: 1 << 20, burst: 1 << 20))
        let guest = fixture.talk(lines: 50_000)
        guest.join("over the rate, from the first line")
        try fixture.expectAccounted(for: guest)
        let numbers = NumberedLines.numbers(in: try fixture.stored().bytes)
        // What is stored before the gap is the beginning of what was said.
        #expect(Array(numbers.prefix(1000)) == Array(0..<1000))
    }
}
