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
        let patient = try Patient()
        let first = patient.talk(lines: 1000)
        first.join("the store sound")
        #expect(try eventually { try patient.stored().bytes.count == first.bytes })
        patient.fileSystem.set(.hanging)
        let guest = patient.talk(lines: lines)
        // Returns only if the guest is never kept waiting for the store, for the store does not come back meanwhile.
        guest.join("the store hanging")
        patient.fileSystem.set(.sound)
        try patient.expectAccounted(for: first, guest)
        #expect(try patient.stored().gaps.allSatisfy { $0.reason == .overflow })
    }

    @Test(
        "a store that cannot be written does not stop the guest, and every byte is stored or counted",
        arguments: [ENOSPC, EROFS, EIO, EDQUOT]
    )
    func failingStore(code: Int32) throws {
        let patient = try Patient()
        patient.fileSystem.set(.failing(code))
        let guest = patient.talk(lines: lines)
        guest.join("the store failing with errno \(code)")
        patient.fileSystem.set(.sound)
        try patient.expectAccounted(for: guest)
        #expect(try patient.stored().gaps.contains { $0.reason == .storeFailure })
        #expect(eventually { patient.capture.problems.all.isEmpty })
    }

    @Test("a store that cannot be opened at first is opened later, and every byte is stored or counted")
    func failingOpening() throws {
        let patient = try Patient(failing: ENOSPC)
        let guest = patient.talk(lines: lines)
        guest.join("the store not open")
        #expect(patient.capture.problems.all.contains { $0.subject == "store" })
        patient.fileSystem.set(.sound)
        try patient.expectAccounted(for: guest)
        #expect(try patient.stored().bytes.count > 0)
        #expect(eventually { patient.capture.problems.all.isEmpty })
    }

    @Test("a store that fails in the middle keeps what it had and goes on when it can")
    func failureInTheMiddle() throws {
        let patient = try Patient()
        let guest = patient.talk(pace: 1000)
        #expect(try eventually { try patient.stored().bytes.count > 0 })
        for code in [ENOSPC, EIO, ENOSPC, EROFS] {
            patient.fileSystem.set(.failing(code))
            #expect(eventually { !patient.capture.problems.all.isEmpty })
            patient.fileSystem.set(.sound)
            #expect(eventually { patient.capture.problems.all.isEmpty })
        }
        guest.stop()
        guest.join("the store failing now and then")
        try patient.expectAccounted(for: guest)
    }

    @Test("fifty watchers that do not read stop nobody, and are told that they were cut off")
    func deafWatchers() throws {
        let patient = try Patient()
        var watchers: [Int32] = []
        for number in 0..<50 {
            let pair = try Descriptor.socketPair()
            #expect(patient.hub.attach(patient.key, try pair.second.duplicate(), as: .watch, who: "watcher \(number)"))
            watchers.append(try pair.first.duplicate().release())
        }
        let guest = patient.talk(lines: lines)
        guest.join("50 watchers that do not read")
        try patient.expectAccounted(for: guest)
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
        let patient = try Patient()
        let first = patient.talk(lines: 1000)
        first.join("the store sound")
        #expect(try eventually { try patient.stored().bytes.count == first.bytes })
        patient.fileSystem.set(.hanging)
        let guest = patient.talk(lines: lines)
        guest.join("the store hanging")
        // The ring is full now, and the console is closed and given to another machine.
        let successor = try patient.replaceConsole()
        let second = patient.talk(lines: 1000, to: successor)
        second.join("the store hanging, after a boot")
        patient.fileSystem.set(.sound)
        try patient.expectAccounted(for: first, guest, second)
        var boots: [BootEvent] = []
        let isTold = try eventually {
            boots = try patient.stored().boots.map(\.event)
            return boots == [.powerOn, .closed, .powerOn]
        }
        #expect(isTold, "\(boots)")
        patient.stop()
    }

    @Test("a flood over the rate limit is cut down to a few long gaps, and every byte is stored or counted")
    func flood() throws {
        let patient = try Patient(rate: RateLimit(rate: 1 << 20, burst: 2 << 20))
        let guest = patient.talk(lines: lines)
        guest.join("over the rate")
        try patient.expectAccounted(for: guest)
        let stored = try patient.stored()
        #expect(stored.gaps.contains { $0.reason == .rateLimit })
        #expect(stored.gaps.count < 40, "\(stored.gaps.count) markers")
    }

    @Test("the stream's lines before and after a gap are whole where the gap's own edges allow")
    func gapIsWhereItBelongs() throws {
        let patient = try Patient(rate: RateLimit(rate: 1 << 20, burst: 1 << 20))
        let guest = patient.talk(lines: 50_000)
        guest.join("over the rate, from the first line")
        try patient.expectAccounted(for: guest)
        let numbers = NumberedLines.numbers(in: try patient.stored().bytes)
        // What is stored before the gap is the beginning of what was said.
        #expect(Array(numbers.prefix(1000)) == Array(0..<1000))
    }
}
