import Capture
import ConsoleHub
import Glibc
import LogModel
import LogStore
import SystemIO
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
        let runtime = TemporaryFolder()
        var options = CaptureService.Options(store: mount.folder.path + "/store", inflight: runtime.path)
        options.shards = 1
        let capture = try CaptureService(options, diagnostics: Diagnostics(threshold: .error, sink: { _, _ in }))
        let hub = try ConsoleHub(
            ConsoleHub.Options(table: runtime.path + "/consoles.json"),
            capture: capture,
            manager: ServiceManager()
        )
        try capture.start()
        try hub.start()
        let pair = try Descriptor.socketPair()
        try pair.first.setNonBlocking(false)
        hub.add(
            try ConsoleHub.Definition(key: StreamKey(name: "vm"), endpoint: .inherited, rate: nil),
            descriptor: try pair.second.duplicate()
        )
        let stream = StreamID(vm: "vm", stream: .console0)
        func stored() throws -> StoredText { try StoredText(of: stream, in: capture.store) }
        let first = TalkingGuest(pair.first.raw, limit: 1000)
        first.join("the mount sound")
        #expect(try eventually { try stored().bytes.count == first.bytes })

        mount.hang()
        let guest = TalkingGuest(pair.first.raw, limit: 300_000)
        // Returns only if the guest is never kept waiting for the mount.
        guest.join("the mount hanging")
        #expect(eventually { capture.writerStuckFor > 0 })
        mount.goOn()
        var last = try stored()
        let isComplete = try eventually {
            last = try stored()
            return last.bytes.count + last.lostBytes == first.bytes + guest.bytes && last.gaps.last?.isClosed == true
        }
        #expect(isComplete, "\(first.bytes + guest.bytes) written, \(last.bytes.count) stored, \(last.lostBytes) lost")
        hub.stop()
        capture.stop()
    }
}
