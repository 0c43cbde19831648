// SPDX-License-Identifier: Apache-2.0

import LogModel
import TestTraits
import Testing

@testable import guestlog

@Suite("Boots that the daemon is asked for", .blocking)
struct BootsTests {
    private static let vms: [JSON] = [
        .object([("name", .string("web-1")), ("folder", .string("web-1"))]),
        .object([("name", .string("web-2")), ("namespace", .string("lab")), ("folder", .string("lab.web-2"))]),
        .object([("name", .string("web-0")), ("folder", .string("web-0")), ("ended", .string("2026-11-20"))]),
        .object([("name", .string("web-3"))]),
    ]

    @Test("a pattern stands for stored VMs that exist; other words are left to the daemon, and each is asked for once")
    func words() throws {
        let asked = try Boots.asked(for: ["web-0", "web", "web-*", "web", "lab/*"], among: Self.vms)
        #expect(
            asked == [
                Boots.Asked(name: "web-0", word: "web-0"), Boots.Asked(name: "web", word: "web"),
                Boots.Asked(name: "web-1", word: "web-1", isMatch: true),
                Boots.Asked(name: "lab/web-2", word: "lab.web-2", isMatch: true),
            ]
        )
    }

    @Test("a pattern that no VM matches is refused")
    func unmatched() {
        #expect(throws: CommandLineError.self) { try Boots.asked(for: ["web-1", "db-*"], among: Self.vms) }
    }
}
