// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import guestlog

@Suite struct CompletionsTests {
    @Test("names that a shell would expand or divide are not offered")
    func plainNames() {
        for name in ["web", "shop/web-1.example_2"] {
            #expect(Completions.isPlain(name))
        }
        let others = [
            "$(touch pwned)", "`id`", "a b", "a;b", "a'b", "a\"b", "a\\b", "a*", "~", "{a,b}", "a&b", "a|b", "\u{e9}",
            "",
        ]
        for name in others {
            #expect(!Completions.isPlain(name), "\(name)")
        }
    }

    @Test("a script that quotes is offered every name of one line")
    func lines() {
        for name in ["web", "sp ace", "it's", "\u{fc}-vm", "$(touch pwned)"] {
            #expect(Completions.isLine(name))
        }
        for name in ["", "two\nlines", "\u{1b}[2J", "web\u{202e}1", "web\u{200b}"] {
            #expect(!Completions.isLine(name))
        }
    }
}
