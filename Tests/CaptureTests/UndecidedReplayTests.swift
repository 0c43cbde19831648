// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import Capture

/// A connection that was made again, while it is not decided whether the VMM replays its output there.
@Suite(.blocking) struct UndecidedReplayTests {
    private let key = StreamKey(name: "web")
    private let options = StreamOptions(rate: nil, mayReplay: true)
    private let before = (0..<100).map { "line \($0)\n" }.joined()
    /// A part of its end, so that it may be the begin of a replay.
    private var repeated: String { String(before.suffix(300).prefix(200)) }
    private let opened = Opened()

    /// A service whose clock stands still, so that the pause never comes that decides. It has taken the marker of the
    /// absence, and then `repeated`.
    private func undecided(_ repeated: String) throws -> Site {
        let site = try Site(clock: StoppedClock())
        try put(before, in: site)
        #expect(eventually { site.text("web") == before })
        try site.onShard { [opened] _, _ in opened.intake?.mark(.absence(.disconnected)) }
        try put(repeated, in: site)
        #expect(eventually { site.capture.shards[0].ring.used == 0 })
        #expect(site.text("web") == before)
        #expect(try site.stored("web").gaps.isEmpty)
        return site
    }

    private func put(_ text: String, in site: Site) throws {
        let done = OneShot()
        try site.onShard { [key, options, opened] capture, shard in
            let intake = try opened.intake ?? capture.open(key, options: options, on: shard)
            opened.intake = intake
            Array(text.utf8).withUnsafeBytes { intake.put($0) }
            capture.commit(key, on: shard) { done.signal() }
        }
        done.wait()
    }

    private func close(_ site: Site) throws {
        try site.onShard { [opened] _, _ in opened.intake?.close() }
    }

    /// Expects the gap where the connection was lost, and only there.
    private func expectGap(in site: Site) throws {
        let markers = try site.stored("web").markers.filter { $0.detail.gap != nil }
        #expect(markers.map(\.index) == [before.utf8.count])
        #expect(markers.map(\.detail.gap?.reason) == [.disconnected])
    }

    @Test("a process that is killed meanwhile leaves the gap to the next one", arguments: [false, true])
    func killed(hasRepeated: Bool) throws {
        let killed = try undecided(hasRepeated ? repeated : "")
        let next = try Site(after: killed)
        try next.write("after\n", by: key, options: options)
        #expect(eventually { next.text("web") == before + "after\n" })
        try expectGap(in: next)
        try next.restart()
        try expectGap(in: next)
        try close(killed)
    }

    @Test("the end of the VM decides: the gap and what was received since are its history")
    func ended() throws {
        let site = try undecided(repeated)
        let done = OneShot()
        site.capture.end(key.vm) { error in
            #expect(error == nil)
            done.signal()
        }
        done.wait()
        #expect(site.text("web") == before + repeated)
        try expectGap(in: site)
        try close(site)
    }

    @Test("the writer's end decides, although what is received later is left to the next process")
    func stopped() throws {
        let site = try undecided(repeated)
        #expect(site.capture.prepareToStop())
        #expect(site.text("web") == before + repeated)
        try expectGap(in: site)
        try close(site)
        site.capture.finish(haveEnded: true, mayWait: true)
    }

    @Test("once it is decided nothing is left to the next process")
    func decided() throws {
        let site = try undecided("")
        let ring = site.capture.shards[0].ring
        #expect(ring.hasUnwrittenMarkers(0))
        try put("something else\n", in: site)
        #expect(site.text("web") == before + "something else\n")
        try expectGap(in: site)
        #expect(!ring.hasUnwrittenMarkers(0))
        try close(site)
    }
}
