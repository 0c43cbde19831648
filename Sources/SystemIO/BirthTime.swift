// SPDX-License-Identifier: Apache-2.0

import CLinux

// The time of a file's creation (statx(2)). With it, a file can be told from a later one with the same inode number.
extension FileAttributes {
    /// When an open file was created, in nanoseconds since the epoch; nil where the file system does not record it.
    public static func birthTime(of descriptor: Int32) -> Int64? {
        let time = gl_birth_time(descriptor, "")
        return time < 0 ? nil : time
    }
}

extension DirectoryHandle {
    /// When the file `name` was created, in nanoseconds since the epoch; nil where that is unknown.
    public func birthTime(of name: String) -> Int64? {
        let time = gl_birth_time(descriptor.raw, name)
        return time < 0 ? nil : time
    }
}
