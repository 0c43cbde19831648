// SPDX-License-Identifier: Apache-2.0

import Glibc

/// A file system of a few megabytes, in memory, mounted for one test. Needs root.
public final class SmallDisk {
    public let folder = TemporaryFolder()
    public static var isPossible: Bool { geteuid() == 0 }

    /// A disk of that size; for at most `inodes` files and folders, its own among them.
    public init(megabytes: Int, inodes: Int? = nil) {
        let limit = inodes.map { ",nr_inodes=\($0)" } ?? ""
        let code = mount("guestlog-test", folder.path, "tmpfs", 0, "size=\(megabytes)m\(limit)")
        precondition(code == 0, "cannot mount: \(String(cString: strerror(errno)))")
    }

    /// Fills the disk with a file, except for `kibibytes`. Others may write meanwhile.
    public func fill(leaving kibibytes: Int) {
        let file = open(folder.path + "/filler", O_CREAT | O_WRONLY | O_CLOEXEC, 0o600)
        defer { close(file) }
        let isFilled = eventually {
            var status = statvfs()
            statvfs(folder.path, &status)
            let free = Int(status.f_bavail) * Int(status.f_frsize) - kibibytes << 10
            return free <= 0 || posix_fallocate(file, 0, free) == 0
        }
        precondition(isFilled, "the disk cannot be filled")
    }

    /// Removes that file.
    public func clear() {
        unlink(folder.path + "/filler")
    }

    deinit {
        umount2(folder.path, Int32(MNT_DETACH))
    }
}
