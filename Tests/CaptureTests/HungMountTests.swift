import Capture
import Glibc
import TestSupport
import Testing

/// A folder seen through a FUSE process (bindfs), which can be stopped: every call on it then hangs in the kernel.
private final class FuseMount {
    private let real = TemporaryFolder()
    let folder = TemporaryFolder()
    private var process: pid_t = 0

    static var isPossible: Bool {
        geteuid() == 0 && access("/dev/fuse", R_OK | W_OK) == 0 && access("/usr/bin/bindfs", X_OK) == 0
    }

    init() {
        let words = ["bindfs", "-f", real.path, folder.path]
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) }
        arguments.append(nil)
        #expect(posix_spawn(&process, "/usr/bin/bindfs", nil, nil, arguments, environ) == 0)
        arguments.forEach { free($0) }
        let parent = Self.device(of: "/tmp")
        #expect(eventually { Self.device(of: self.folder.path) != parent })
    }

    private static func device(of path: String) -> UInt {
        var status = stat()
        stat(path, &status)
        return UInt(status.st_dev)
    }

    func hang() { kill(process, SIGSTOP) }
    func goOn() { kill(process, SIGCONT) }

    /// Ends the mount; to be called last, for files on it may still be open.
    func end() {
        goOn()
        umount2(folder.path, Int32(MNT_DETACH))
        kill(process, SIGKILL)
        var status: Int32 = 0
        waitpid(process, &status, 0)
    }
}

@Suite struct HungMountTests {
    @Test(
        "a mount that hangs in the kernel does not stop the guest, and every byte is stored or counted",
        .enabled(if: FuseMount.isPossible, "needs root, /dev/fuse and Debian's package bindfs")
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
