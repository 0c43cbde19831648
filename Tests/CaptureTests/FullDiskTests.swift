import Capture
import Glibc
import LogStore
import TestSupport
import Testing

/// A file system of a few megabytes, in memory, mounted for one test. Needs root.
private final class SmallDisk {
    let folder = TemporaryFolder()
    static var isPossible: Bool { geteuid() == 0 }

    init(megabytes: Int) {
        let code = mount("guestlog-test", folder.path, "tmpfs", 0, "size=\(megabytes)m")
        #expect(code == 0, "cannot mount: \(String(cString: strerror(errno)))")
    }

    /// Takes what is left with a file, but for `kibibytes`.
    func fill(leaving kibibytes: Int) {
        var status = statvfs()
        statvfs(folder.path, &status)
        let free = Int(status.f_bavail) * Int(status.f_frsize) - kibibytes << 10
        let file = open(folder.path + "/filler", O_CREAT | O_WRONLY | O_CLOEXEC, 0o600)
        #expect(posix_fallocate(file, 0, free) == 0)
        close(file)
    }

    func clear() {
        unlink(folder.path + "/filler")
    }

    deinit {
        umount2(folder.path, Int32(MNT_DETACH))
    }
}

@Suite struct FullDiskTests {
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
