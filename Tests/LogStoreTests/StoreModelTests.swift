// SPDX-License-Identifier: Apache-2.0

import Glibc
import TestTraits
import Testing

@testable import LogStore

/// Random histories against a model.
@Suite(.blocking) struct StoreModelTests {
    private static func setting(_ name: String) -> UInt64? {
        getenv(name).flatMap { UInt64(String(cString: $0)) }
    }

    @Test("after failures and crashes, everything committed or synced is read once, in order, and nothing else")
    func histories() throws {
        let only = Self.setting("GUESTLOG_SEED")
        let first = only ?? Self.setting("GUESTLOG_FIRST_SEED") ?? 1
        let count = only == nil ? Self.setting("GUESTLOG_HISTORIES") ?? 1000 : 1
        var failed = 0
        for seed in first..<first + count {
            let history = StoreHistory(seed: seed)
            do {
                try history.run(steps: 8 + Int(seed % 28))
            } catch {
                let life = only == nil ? history.log.suffix(12) : history.log[...]
                Issue.record("GUESTLOG_SEED=\(seed): \(error)\n  \(life.joined(separator: "\n  "))")
                failed += 1
                if failed == 5 { return }
            }
        }
    }
}
