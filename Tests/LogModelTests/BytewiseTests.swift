// SPDX-License-Identifier: Apache-2.0

import LogModel
import TestTraits
import Testing

@Suite(.blocking) struct BytewiseTests {
    /// Texts that Swift treats as equal though their bytes differ, two of them of the same length.
    private static let equivalent = [
        ("caf\u{e9}", "cafe\u{301}"), ("\u{1e9b}\u{323}", "\u{17f}\u{323}\u{307}"),
        ("a\u{323}\u{307}", "a\u{307}\u{323}"),
    ]

    @Test("canonically equivalent texts are two keys", arguments: equivalent)
    func keys(left: String, right: String) {
        #expect(left == right)
        #expect(Bytewise(left) != Bytewise(right))
        #expect(Bytewise(left) == Bytewise(left))
        #expect([Bytewise(left): 1, Bytewise(right): 2].count == 2)
        #expect(VMIdentity(name: left) != VMIdentity(name: right))
        #expect(Set([VMIdentity(name: "x", namespace: left), VMIdentity(name: "x", namespace: right)]).count == 2)
        #expect(VMPattern([left]).contains(VMIdentity(name: left)))
        #expect(!VMPattern([left]).contains(VMIdentity(name: right)))
    }

    @Test("a missing text differs from the empty one")
    func missing() {
        #expect(Bytewise(String?.none) != Bytewise(""))
        #expect(Bytewise(String?.none) == Bytewise(String?.none))
    }
}
