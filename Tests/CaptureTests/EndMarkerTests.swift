// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import TestSupport
import TestTraits
import Testing

@testable import Capture

@Suite(.blocking) struct EndMarkerTests {
    private static let panic = "[    9.000000] Kernel panic - not syncing: x\n"
    private static let lastWords = "[    9.100000] Call Trace:\n"

    /// The positions of markers of a panic.
    private func ends(_ stored: StoredText) -> [Int] {
        stored.markers.filter { $0.detail.boot?.event == .panic }.map(\.index)
    }

    @Test("an announced end is marked after the last words, without further output")
    func quiet() throws {
        let fixture = try GuestFixture()
        // At once: a pause of half a second would end the last words.
        try fixture.say(BootTable.linux + Self.panic + Self.lastWords)
        #expect(try eventually { try !ends(fixture.stored()).isEmpty })
        let stored = try fixture.stored()
        #expect(ends(stored) == [stored.bytes.count])
        #expect(stored.boots.last?.position == UInt64(BootTable.linux.utf8.count))
    }

    @Test("an announced end is marked once when the daemon stops at that moment")
    func stop() throws {
        let fixture = try GuestFixture()
        let text = BootTable.linux + Self.panic
        try fixture.say(text)
        #expect(try eventually { try fixture.stored().bytes.count == text.utf8.count })
        fixture.stop()
        #expect(try ends(fixture.stored()) == [text.utf8.count])
    }

    @Test("the marker of an end precedes that of the next boot")
    func nextBoot() throws {
        let fixture = try GuestFixture()
        let text = BootTable.linux + Self.panic
        try fixture.say(text + BootTable.seaBIOS)
        #expect(try eventually { try fixture.stored().boots.contains { $0.event == .firmware } })
        let markers = try fixture.stored().markers.filter { $0.index == text.utf8.count }
        #expect(markers.compactMap(\.detail.boot?.event) == [.panic, .firmware])
    }
}
