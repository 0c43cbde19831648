// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

/// Files of procfs (proc(5)), which the kernel makes as they are read, and links. What cannot be read is empty.
public enum ProcFile {
    /// The first `limit` bytes of the file at `path`.
    public static func bytes(_ path: String, limit: Int = 64 << 10) -> [UInt8] {
        guard let file = try? Descriptor(owning: systemCall("open", path) { gl_open(path, O_RDONLY | O_CLOEXEC, 0) })
        else {
            return []
        }
        return (try? file.readToEnd(limit: limit)) ?? []
    }

    public static func text(_ path: String, limit: Int = 64 << 10) -> String {
        String(decoding: bytes(path, limit: limit), as: UTF8.self)
    }

    /// The strings in a file that ends each one with a NUL, such as `/proc/PID/cmdline` and `/proc/PID/environ`.
    public static func strings(_ path: String) -> [String] {
        var bytes = bytes(path, limit: .max)
        guard let last = bytes.last else {
            return []
        }
        if last == 0 {
            bytes.removeLast()
        }
        return bytes.split(separator: 0, omittingEmptySubsequences: false).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The fields of `/proc/PID/stat` from the third on. The second, the name in parentheses, may contain anything.
    public static func statFields(_ path: String) -> [Substring] {
        let text = text(path, limit: 4096)
        guard let end = text.lastIndex(of: ")") else {
            return []
        }
        return text[text.index(after: end)...].split(separator: " ")
    }

    /// The target of the symbolic link at `path`; nil when there is no link.
    public static func target(ofLink path: String) -> String? {
        withUnsafeTemporaryAllocation(byteCount: Int(PATH_MAX), alignment: 1) { buffer in
            let count = readlink(path, buffer.baseAddress!.assumingMemoryBound(to: CChar.self), buffer.count)
            return count < 0 ? nil : String(decoding: buffer.prefix(count), as: UTF8.self)
        }
    }

    public static func names(in folder: String) -> [String] {
        (try? LinuxFileSystem().names(in: folder)) ?? []
    }

    /// The process that holds a lock on the file at `path`; nil when there is none, or it is not known which.
    public static func lockHolder(ofFileAt path: String) -> Int32? {
        let holders = lockHolders(ofFileAt: path)
        return holders.count == 1 ? holders.first : nil
    }

    /// The processes that may hold a lock on the file at `path`, according to /proc/locks (proc_locks(5)): `1: FLOCK
    /// ADVISORY WRITE 3523 fd:01:1234 0 EOF`. Files of other file systems can have the same inode number, and the device's
    /// is not always that of stat(2). Processes outside this process's namespaces are not among them.
    public static func lockHolders(ofFileAt path: String) -> [Int32] {
        guard let inode = (try? FileAttributes(following: path))?.identity.inode else {
            return []
        }
        var holders: [Int32] = []
        for line in text("/proc/locks", limit: 1 << 20).split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard fields.count > 5, fields[1] == "FLOCK", fields[5].split(separator: ":").last == "\(inode)",
                let process = Int32(fields[4]), process > 0
            else {
                continue
            }
            holders.append(process)
        }
        return holders
    }

    /// The id of this boot of the kernel.
    public static var bootID: String { String(text("/proc/sys/kernel/random/boot_id").prefix { $0 != "\n" }) }
}
