// SPDX-License-Identifier: Apache-2.0

import Glibc
import Synchronization

/// A folder seen through a FUSE process (bindfs), which can be stopped: every call on it then blocks in the kernel.
public final class FuseMount: @unchecked Sendable {
    // Sendable because after `init` only the atomic flag and the thread's number change, the latter on the test's thread.

    private let own = TemporaryFolder()
    public let folder = TemporaryFolder()
    private var process: pid_t = 0
    private let isThrottled = Atomic<Bool>(false)
    private var throttle: pthread_t?

    /// How long a throttled mount hangs, and how long it then works, in microseconds.
    private static let throttleInterval: UInt32 = 300_000

    /// Whether this process may mount, and has the required programs.
    public static var isPossible: Bool {
        geteuid() == 0 && access("/dev/fuse", R_OK | W_OK) == 0 && access("/usr/bin/bindfs", X_OK) == 0
    }
    /// Why a test is skipped where it is not possible.
    public static let requirement = "needs root, /dev/fuse and Debian's package bindfs"

    /// Mounts `real`, or an empty folder, and waits until it is mounted.
    public init(of real: String? = nil) {
        let words = ["bindfs", "-f", real ?? own.path, folder.path]
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) }
        arguments.append(nil)
        let code = posix_spawn(&process, "/usr/bin/bindfs", nil, nil, arguments, environ)
        arguments.forEach { free($0) }
        precondition(code == 0, "cannot run bindfs: \(String(cString: strerror(code)))")
        let parent = Self.device(of: "/tmp")
        precondition(eventually { Self.device(of: self.folder.path) != parent }, "bindfs has not mounted its folder")
    }

    private static func device(of path: String) -> UInt {
        var status = stat()
        stat(path, &status)
        return UInt(status.st_dev)
    }

    /// From now on every call on it blocks.
    public func hang() {
        endThrottle()
        kill(process, SIGSTOP)
    }

    /// From now on calls succeed, blocked ones too.
    public func resume() {
        endThrottle()
        kill(process, SIGCONT)
    }

    /// From now on it hangs for 300 ms and works for 300 ms, alternately.
    public func beginThrottle() {
        guard !isThrottled.exchange(true, ordering: .relaxed) else {
            return
        }
        var thread = pthread_t()
        pthread_create(
            &thread,
            nil,
            { argument in
                Unmanaged<FuseMount>.fromOpaque(argument!).takeRetainedValue().throttleUntilEnded()
                return nil
            },
            Unmanaged.passRetained(self).toOpaque()
        )
        throttle = thread
    }

    private func throttleUntilEnded() {
        while isThrottled.load(ordering: .relaxed) {
            kill(process, SIGSTOP)
            usleep(Self.throttleInterval)
            kill(process, SIGCONT)
            usleep(Self.throttleInterval)
        }
    }

    private func endThrottle() {
        isThrottled.store(false, ordering: .relaxed)
        if let throttle {
            pthread_join(throttle, nil)
        }
        throttle = nil
    }

    /// Unmounts; to be called last, because files on it may be open before.
    public func end() {
        resume()
        umount2(folder.path, Int32(MNT_DETACH))
        kill(process, SIGKILL)
        var status: Int32 = 0
        waitpid(process, &status, 0)
    }
}
