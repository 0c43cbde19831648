// SPDX-License-Identifier: Apache-2.0

import Capture
import TestSupport
import TestTraits
import Testing

@Suite(.blocking) struct HungMountTests {
    @Test(
        "a mount that blocks in the kernel does not stop the guest, and every byte is stored or counted",
        .enabled(if: FuseMount.isPossible, Comment(rawValue: FuseMount.requirement))
    )
    func hungMount() throws {
        let mount = FuseMount()
        defer { mount.end() }
        let fixture = try GuestFixture(storing: mount.folder.path)
        let first = fixture.talk(lines: 1000)
        first.join("while the mount works")
        #expect(try eventually { try fixture.stored().bytes.count == first.bytes })

        mount.hang()
        let guest = fixture.talk(lines: 300_000)
        // Returns only if the guest never waits for the mount.
        guest.join("while the mount hangs")
        #expect(eventually { fixture.capture.writerStuckFor > 0 })
        mount.resume()
        try fixture.expectAccounted(for: first, guest)
        fixture.stop()
    }
}
