// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Detects threads of this process in uninterruptible sleep (state D, proc(5)), as in a call to a file system that
/// hangs. An exec, and the process's end, would have to wait for them.
public enum StuckThreads {
    /// The interval between checks, in microseconds.
    private static let interval: UInt32 = 5000

    public static func awaitNone() {
        while isAny {
            WorkerThread.pause(microseconds: interval)
        }
    }

    /// Whether there is one now.
    static var isAny: Bool {
        guard let folder = opendir("/proc/self/task") else {
            return false
        }
        defer { closedir(folder) }
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if !name.hasPrefix("."), state(of: name) == UInt8(ascii: "D") {
                return true
            }
        }
        return false
    }

    /// The third field of a thread's stat; the second, its name in parentheses, may contain anything.
    private static func state(of thread: String) -> UInt8? {
        let file = open("/proc/self/task/\(thread)/stat", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else {
            return nil
        }
        defer { close(file) }
        return withUnsafeTemporaryAllocation(byteCount: 512, alignment: 1) { buffer in
            let count = read(file, buffer.baseAddress, buffer.count)
            let text = buffer.prefix(max(0, count))
            guard let end = text.lastIndex(of: UInt8(ascii: ")")), text.endIndex > end + 2 else {
                return nil
            }
            return text[end + 2]
        }
    }
}
