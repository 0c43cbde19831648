// SPDX-License-Identifier: Apache-2.0

import ConsoleHub
import Glibc
import LogModel
import LogStore
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import Capture

@Suite(.blocking, .serialized) struct NeverStallTests {
    /// About 20 MB: many times the size of socket and ring.
    private let lines = 300_000

    /// Has the store hang after it stored a guest's first lines; that guest.
    private func storeHangs(in fixture: GuestFixture) throws -> TalkingGuest {
        let first = fixture.talk(lines: 1000)
        first.join("while the store works")
        #expect(try eventually { try fixture.stored().bytes.count == first.bytes })
        fixture.fileSystem.set(.hanging)
        return first
    }

    @Test("a store that hangs does not stop the guest, and every byte is stored or counted")
    func hangingStore() throws {
        let fixture = try GuestFixture()
        let first = try storeHangs(in: fixture)
        let guest = fixture.talk(lines: lines)
        // Returns only if the guest never waits for the store, because the store hangs until later.
        guest.join("while the store hangs")
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
        let guest = fixture.talk(lines: lines / 3)
        guest.join("the store failing with errno \(code)")
        fixture.fileSystem.set(.healthy)
        try fixture.expectAccounted(for: guest)
        #expect(try fixture.stored().gaps.contains { $0.reason == .storeFailure })
        #expect(eventually { fixture.capture.problems.all.isEmpty })
    }

    @Test("while the last sync of a stop takes its time, the rings are emptied")
    func slowSyncAtStop() throws {
        let site = try Site()
        let opened = Opened()
        func say(_ text: String) throws {
            try site.onShard { capture, shard in
                let key = StreamKey(name: "vm")
                opened.intake =
                    try opened.intake ?? capture.open(key, options: StreamOptions(rate: nil), on: shard)
                Array(text.utf8).withUnsafeBytes { opened.intake?.put($0) }
            }
        }
        try say("before\n")
        #expect(eventually { site.text("vm") == "before\n" })
        site.fileSystem.set(.unendingSync)
        let stop = try WorkerThread(name: "stop") { [capture = site.capture] in _ = capture.prepareToStop() }
        #expect(eventually { site.notices.all.contains { $0.hasPrefix("the disk is slow") } })
        try say("meanwhile\n")
        #expect(eventually { site.text("vm") == "before\nmeanwhile\n" })
        site.fileSystem.set(.healthy)
        stop.join()
        try site.onShard { _, _ in opened.intake?.close() }
        site.capture.finish(haveEnded: true, mayWait: true)
    }

    @Test("a store that cannot be opened at first is opened later, and every byte is stored or counted")
    func failingOpening() throws {
        let fixture = try GuestFixture(failing: ENOSPC)
        let guest = fixture.talk(lines: lines)
        guest.join("while the store is not open")
        #expect(fixture.capture.problems.all.contains { $0.subject == "store" })
        fixture.fileSystem.set(.healthy)
        try fixture.expectAccounted(for: guest)
        #expect(try fixture.stored().bytes.count > 0)
        #expect(eventually { fixture.capture.problems.all.isEmpty })
    }

    @Test("a store that fails meanwhile keeps its contents and continues when it can")
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
        guest.join("while the store fails repeatedly")
        try fixture.expectAccounted(for: guest)
    }

    @Test("fifty watchers that do not read delay nothing, and are told that they were cut off")
    func deafWatchers() throws {
        let fixture = try GuestFixture()
        let notices = Notices()
        var watchers: [Int32] = []
        for number in 0..<50 {
            let pair = try Descriptor.socketPair()
            let who = "watcher \(number)"
            let isThere = fixture.hub.attach(
                fixture.key,
                try pair.second.duplicate(),
                as: .watch,
                who: who,
                onNotice: { notices.add($0.text) }
            )
            #expect(isThere)
            watchers.append(try pair.first.duplicate().release())
        }
        let guest = fixture.talk(lines: lines)
        guest.join("50 watchers that do not read")
        try fixture.expectAccounted(for: guest)
        for watcher in watchers {
            let hasEnded = eventually {
                var buffer = [UInt8](repeating: 0, count: 1 << 16)
                return recv(watcher, &buffer, buffer.count, Int32(MSG_DONTWAIT)) == 0
            }
            #expect(hasEnded)
            close(watcher)
        }
        #expect(notices.all.count == watchers.count && notices.all.allSatisfy { $0.hasPrefix("cut off: ") })
    }

    @Test("a boot marker that finds no room is stored before the next stored byte")
    func markersWait() throws {
        let fixture = try GuestFixture()
        let first = try storeHangs(in: fixture)
        let guest = fixture.talk(lines: lines)
        guest.join("while the store hangs")
        // The ring is full; the console is closed and another machine's is attached.
        let successor = try fixture.replaceConsole()
        let second = fixture.talk(lines: 1000, to: successor)
        second.join("while the store hangs, after a boot")
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

    @Test("output over the rate limit makes a few long gaps, and every byte is stored or counted")
    func flood() throws {
        // A slow machine's guest is over this rate too, and a gap lasts a second at least: there are 20 at most.
        let fixture = try GuestFixture(rate: RateLimit(rate: 256 << 10, burst: 512 << 10))
        let guest = fixture.talk(lines: lines)
        guest.join("over the rate")
        try fixture.expectAccounted(for: guest)
        let stored = try fixture.stored()
        #expect(stored.gaps.contains { $0.reason == .rateLimit })
        #expect(stored.gaps.count < 40, "\(stored.gaps.count) markers")
    }

    @Test("lines before and after a gap are whole except at the edges of the gap")
    func gapIsWhereItBelongs() throws {
        let fixture = try GuestFixture(rate: RateLimit(rate: 1 << 20, burst: 1 << 20))
        let guest = fixture.talk(lines: 50_000)
        guest.join("over the rate, from the first line")
        try fixture.expectAccounted(for: guest)
        let numbers = NumberedLines.numbers(in: try fixture.stored().bytes)
        // What is stored before the gap is the beginning of the output.
        #expect(Array(numbers.prefix(1000)) == Array(0..<1000))
    }
}
