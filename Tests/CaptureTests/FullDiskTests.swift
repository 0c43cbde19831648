import Capture
import ConsoleHub
import Glibc
import LogModel
import LogStore
import SystemIO
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
        let runtime = TemporaryFolder()
        var options = CaptureService.Options(store: disk.folder.path + "/store", inflight: runtime.path)
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
        let first = TalkingGuest(pair.first.raw, limit: 100)
        first.join("the disk not full")
        let stream = StreamID(vm: "vm", stream: .console0)
        func stored() throws -> StoredText { try StoredText(of: stream, in: capture.store) }
        #expect(try eventually { try stored().bytes.count == first.bytes })

        disk.fill(leaving: 100)
        let guest = TalkingGuest(pair.first.raw, limit: 60_000)
        guest.join("the disk full")
        // The disk is still full, and the log says already that something is missing.
        #expect(try eventually { try stored().gaps.first.map { !$0.isClosed && $0.reason == .storeFailure } ?? false })
        #expect(!capture.problems.all.isEmpty)

        disk.clear()
        var last = try stored()
        let isComplete = try eventually {
            last = try stored()
            return last.bytes.count + last.lostBytes == first.bytes + guest.bytes && last.gaps.last?.isClosed == true
        }
        #expect(isComplete, "\(first.bytes + guest.bytes) written, \(last.bytes.count) stored, \(last.lostBytes) lost")
        #expect(eventually { capture.problems.all.isEmpty })
        hub.stop()
        capture.stop()
    }
}
