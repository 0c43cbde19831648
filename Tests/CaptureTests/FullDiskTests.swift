import Capture
import LogStore
import TestSupport
import TestTraits
import Testing

@Suite(.blocking) struct FullDiskTests {
    @Test(
        "on a full disk the gap is marked when it opens, the guest goes on, and every byte is stored or counted",
        .enabled(if: SmallDisk.isPossible, "mounting a small file system needs root: run the tests as root")
    )
    func fullDisk() throws {
        let disk = SmallDisk(megabytes: 40)
        let patient = try Patient(storing: disk.folder.path)
        let first = patient.talk(lines: 100)
        first.join("the disk not full")
        #expect(try eventually { try patient.stored().bytes.count == first.bytes })

        disk.fill(leaving: 100)
        let guest = patient.talk(lines: 60_000)
        guest.join("the disk full")
        // The disk is still full, and the log says already that something is missing.
        let isTold = try eventually {
            try patient.stored().gaps.first.map { !$0.isClosed && $0.reason == .storeFailure } ?? false
        }
        #expect(isTold && !patient.capture.problems.all.isEmpty)

        disk.clear()
        try patient.expectAccounted(for: first, guest)
        #expect(eventually { patient.capture.problems.all.isEmpty })
        patient.stop()
    }
}
