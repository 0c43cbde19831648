import Capture
import TestSupport
import TestTraits
import Testing

@Suite(.blocking) struct HungMountTests {
    @Test(
        "a mount that hangs in the kernel does not stop the guest, and every byte is stored or counted",
        .enabled(if: FuseMount.isPossible, Comment(rawValue: FuseMount.requirement))
    )
    func hungMount() throws {
        let mount = FuseMount()
        defer { mount.end() }
        let patient = try Patient(storing: mount.folder.path)
        let first = patient.talk(lines: 1000)
        first.join("the mount sound")
        #expect(try eventually { try patient.stored().bytes.count == first.bytes })

        mount.hang()
        let guest = patient.talk(lines: 300_000)
        // Returns only if the guest is never kept waiting for the mount.
        guest.join("the mount hanging")
        #expect(eventually { patient.capture.writerStuckFor > 0 })
        mount.goOn()
        try patient.expectAccounted(for: first, guest)
        patient.stop()
    }
}
