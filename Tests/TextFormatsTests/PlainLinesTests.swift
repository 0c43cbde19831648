// SPDX-License-Identifier: Apache-2.0

import TestSupport
import Testing

@testable import TextFormats

@Suite struct PlainLinesTests {
    /// What `firstControl` says, found byte by byte.
    private func firstControl(_ text: [UInt8], from start: Int) -> Int {
        text.indices[start...].first { at in
            switch text[at] {
            case 0x09, 0x0a: false
            case 0x0d: at + 1 == text.count || text[at + 1] != 0x0a
            case 0..<0x20, 0x7f: true
            default: false
            }
        } ?? text.count
    }

    @Test("the first control byte of a text is found wherever the search begins")
    func control() {
        let seed = UInt64.random(in: 0...UInt64.max)
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<2000 {
            let plain = (0..<Int.random(in: 0...100, using: &generator)).map { _ in
                UInt8.random(in: 0..<20, using: &generator) == 0
                    ? 0x0a : UInt8.random(in: 0x20...0x7e, using: &generator)
            }
            let text = plain + HostileText.make(using: &generator)
            for start in 0...text.count {
                let found = text.withUnsafeBytes { PlainLines.firstControl(in: $0, from: start) }
                if found != firstControl(text, from: start) {
                    Issue.record("seed \(seed): \(found) in \(text) from \(start)")
                    return
                }
            }
        }
    }
}
