// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import LogModel
import TestTraits
import Testing

@testable import guestlog

@Suite("Rows of vms", .blocking)
struct VMRowTests {
    private static let vms: [JSON] = [
        .object([("name", .string("db")), ("namespace", .null), ("state", .string("running"))]),
        .object([("name", .string("db")), ("namespace", .string("lab")), ("folder", .string("lab.db"))]),
        .object([("name", .string("instance-00000001")), ("title", .string("shop")), ("boots", .integer(2))]),
    ]

    @Test(
        "VMs are chosen by names, titles and patterns, in the order of the list",
        arguments: [
            (["db"], [0, 1]), (["lab/db"], [1]), (["lab.db"], [1]), (["shop"], [2]), (["*"], [0, 1, 2]), (["d*"], [0]),
            (["shop", "lab/*"], [1, 2]),
        ] as [([String], [Int])]
    )
    func chosen(_ words: [String], _ expected: [Int]) throws {
        #expect(try VMRow.matches(words, in: Self.vms) == expected.map { Self.vms[$0] })
    }

    @Test("a word that names no VM is refused", arguments: ["nosuch", "x*", ""])
    func unknown(_ word: String) {
        #expect(throws: CommandLineError.self) { try VMRow.matches([word], in: Self.vms) }
    }

    @Test("the table shows namespaces, and titles where there are some")
    func table() throws {
        let times = try TimeOptions.parse([])
        let titled = VMRow.table(Self.vms, times).split(separator: "\n")
        #expect(titled[0].hasPrefix("NAME               TITLE  STATE"))
        #expect(titled[2].hasPrefix("lab/db             -      -"))
        #expect(titled[3].hasPrefix("instance-00000001  shop   -        2"))
        #expect(!VMRow.table(Array(Self.vms.prefix(2)), times).contains("TITLE"))
    }
}
