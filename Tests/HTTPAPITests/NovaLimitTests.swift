// SPDX-License-Identifier: Apache-2.0

import LogModel
import Testing

@testable import HTTPAPI

/// What a client of the OpenStack part can take from others.
@Suite struct NovaLimitTests {
    @Test("beyond their number the client with the most addresses loses its oldest, and no other client one")
    func manyAddresses() {
        let tokens = ConsoleTokens()
        let now = Timestamp(microseconds: 0)
        func issue(_ client: String, life: Int64 = 1) -> String {
            let caller = Caller(name: client, access: .all, token: client)
            let expires = now.advanced(byMicroseconds: life)
            return tokens.issue(ConsoleToken(vm: "web", caller: caller, expires: expires), at: now)
        }
        let single = issue("b")
        let first = issue("a")
        let second = issue("a")
        for _ in 3..<ConsoleTokens.limit {
            _ = issue("a")
        }
        #expect(tokens.token(for: first, at: now) != nil)
        _ = issue("a")
        #expect(tokens.token(for: first, at: now) == nil)
        let other = issue("c")
        #expect(tokens.token(for: second, at: now) == nil)
        #expect(tokens.token(for: single, at: now) != nil && tokens.token(for: other, at: now) != nil)
        #expect(tokens.token(for: single, at: now.advanced(byMicroseconds: 1)) == nil)
    }
}
