// SPDX-License-Identifier: Apache-2.0

import Capture
import LogModel
import LogStore
import TestSupport
import TestTraits
import Testing

@Suite(.blocking) struct FullDiskTests {
    @Test(
        "on a full disk a gap marker is written when the gap opens, the guest continues, and every byte is stored or counted",
        .enabled(if: SmallDisk.isPossible, "mounting a small file system needs root: run the tests as root")
    )
    func fullDisk() throws {
        let disk = SmallDisk(megabytes: 40)
        let fixture = try GuestFixture(storing: disk.folder.path)
        let first = fixture.talk(lines: 100)
        first.join("while the disk has room")
        #expect(try eventually { try fixture.stored().bytes.count == first.bytes })

        disk.fill(leaving: 100)
        let guest = fixture.talk(lines: 60_000)
        guest.join("while the disk is full")
        // The disk is still full, and the log has a gap marker already.
        let isReported = try eventually {
            try fixture.stored().gaps.first.map { !$0.isClosed && $0.reason == .storeFailure } ?? false
        }
        #expect(isReported && !fixture.capture.problems.all.isEmpty)

        disk.clear()
        try fixture.expectAccounted(for: first, guest)
        #expect(eventually { fixture.capture.problems.all.isEmpty })
        fixture.stop()
    }
}
