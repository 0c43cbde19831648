// SPDX-License-Identifier: Apache-2.0

import TestSupport
import Testing

@testable import RotatingFile

@Suite struct FollowPositionTests {
    @Test("a position is the same after it was written and read", arguments: [Int64?.none, 1_764_000_000_123_456_789])
    func roundTrip(birth: Int64?) {
        let file = LogFileID(device: .max, inode: 1 << 40, birth: birth)
        let position = FollowPosition(file: file, offset: 1 << 50, check: ContentCheck(count: 64, sum: .max))
        #expect(FollowPosition(text: position.text.utf8) == position)
        #expect(position.text.utf8.count <= FollowPosition.longestText)
    }

    @Test(
        "text that is no position is refused",
        arguments: [
            "", "1", "2 1 1 1 1 1 1", "1 1 1 1 1 1", "1 1 1 1 1 1 1 1", "1 1 1 x 1 1 1", "1 1 1 1 1 65 1",
            "1 1 1 1 1 2 1", "1 1 1 1 1 -1 1", "1 1 1 1 18446744073709551615 0 0", "1 1  1 1 1 1", "1 1 1 1 1 1 1\n",
            "1 1 1 1 1 1 4294967296", "\0\0\0\0\0\0\0", "1 1 1 1 1 1 \u{660}",
        ]
    )
    func refuses(text: String) {
        #expect(FollowPosition(text: text.utf8) == nil)
    }

    @Test("text of any length is refused without reading it all")
    func long() {
        #expect(FollowPosition(text: [UInt8](repeating: 0x20, count: 1 << 20)) == nil)
    }
}
