// SPDX-License-Identifier: Apache-2.0

import Testing
import TextFormats

struct ConsoleKeysTests {
    private func events(_ pieces: String..., escape: UInt8? = ConsoleKeys.defaultEscape) -> [ConsoleKeys.Event] {
        var keys = ConsoleKeys(escape: escape)
        return pieces.flatMap { keys.decode($0.utf8) }
    }

    private func input(_ text: String) -> ConsoleKeys.Event { .input(Array(text.utf8)) }

    @Test("what is typed is the guest's, and nothing after leaving is")
    func leaves() {
        #expect(events("ls\r") == [input("ls\r")])
        #expect(events("ls\u{1d}.exit\r", "more") == [input("ls"), .leave])
        #expect(events("\u{1d}", "\u{1b}[24;80R") == [.leave])
        var keys = ConsoleKeys()
        #expect(keys.decode("x\u{1d}".utf8) == [input("x")])
        #expect(keys.isUndecided)
        #expect(keys.timedOut() == .leave)
        #expect(!keys.isUndecided)
        #expect(keys.decode("secret".utf8) == [])
    }

    @Test("the escape key is sent when it is typed twice, or before ], in one read or two")
    func literal() {
        for typed in ["\u{1d}\u{1d}", "\u{1d}]"] {
            #expect(events("a" + typed + "b") == [input("a\u{1d}b")])
            #expect(events(String(typed.first!), String(typed.last!)) == [input("\u{1d}")])
        }
        #expect(events("\u{01}\u{01}\u{1d}", escape: 0x01) == [input("\u{01}\u{1d}")])
        #expect(events("\u{01}]", escape: 0x01) == [input("\u{01}")])
        #expect(events("\u{1d}\u{1d}.", escape: nil) == [input("\u{1d}\u{1d}.")])
    }

    @Test("commands are events, and typing goes on after them")
    func commands() {
        #expect(events("\u{1d}?\u{1d}w\u{1d}bx") == [.help, .showClients, .sendBreak, input("x")])
        #expect(events("\u{1d}s", "bx") == [input("\u{0f}b"), .sysRq(UInt8(ascii: "b")), input("x")])
    }

    @Test(
        "names of keys",
        arguments: [
            ("^]", 0x1d), ("^A", 1), ("^a", 1), ("ctrl-t", 0x14), ("C-\\", 0x1c), ("^^", 0x1e), ("^@", 0), ("^[", nil),
            ("^M", nil), ("^J", nil), ("^I", nil), ("x", nil), ("^", nil), ("^1", nil), ("^AB", nil), ("", nil),
            ("^é", nil),
        ] as [(String, UInt8?)]
    )
    func names(word: String, key: UInt8?) {
        #expect(ConsoleKeys.key(word) == key)
        if let key {
            #expect(ConsoleKeys.key(ConsoleKeys.name(of: key)) == key)
        }
    }
}
