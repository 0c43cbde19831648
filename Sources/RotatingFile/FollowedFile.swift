// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
import SystemIO

/// One file of a rotated log, held open: it stays readable when it is renamed or removed.
final class FollowedFile {
    let id: LogFileID
    private let path: String
    private let descriptor: Descriptor

    /// Opens `name` in the folder at `folder`. Other kinds of files are refused with EINVAL, links with ELOOP.
    init(_ name: String, in folder: String, trusted: String?) throws(SystemError) {
        let folder = try DirectoryHandle(folder, trusted: trusted)
        path = folder.path(of: name)
        let descriptor = try folder.openRegular(name, O_RDONLY)
        id = LogFileID(
            try FileAttributes(of: descriptor.raw, path).identity,
            birth: FileAttributes.birthTime(of: descriptor.raw)
        )
        self.descriptor = descriptor
    }

    func attributes() throws(SystemError) -> FileAttributes {
        try FileAttributes(of: descriptor.raw, path)
    }

    /// Reads at `offset`, as pread(2).
    func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) throws(SystemError) -> Int {
        let raw = descriptor.raw
        return try systemCall("read", path) { pread(raw, buffer.baseAddress, buffer.count, off_t(offset)) }
    }

    /// Up to `ContentCheck.window` bytes before `offset`; fewer when the file ends before it.
    func bytes(before offset: UInt64) throws(SystemError) -> [UInt8] {
        let count = Int(min(offset, UInt64(ContentCheck.window)))
        var bytes = [UInt8](repeating: 0, count: count)
        let raw = descriptor.raw
        let read = try systemCall("read", path) { pread(raw, &bytes, count, off_t(offset) - off_t(count)) }
        return Array(bytes.prefix(read))
    }

    /// Whether the file reaches `offset` and has the bytes before it that `check` was made of.
    func matches(_ check: ContentCheck, at offset: UInt64) -> Bool {
        guard let bytes = try? bytes(before: offset), UInt64(bytes.count) == min(offset, UInt64(ContentCheck.window))
        else {
            return false
        }
        return bytes.suffix(check.count).withUnsafeBytes { ContentCheck(endOf: $0) } == check
    }

    /// Where the hole ends that a writer without O_APPEND leaves before its data after a truncation. The file system has
    /// NULs in the rest of the block in which the data begins.
    func endOfHole() throws(SystemError) -> UInt64 {
        let data = UInt64(max(0, gl_first_data(descriptor.raw)))
        var block = [UInt8](repeating: 0, count: Self.largestBlock)
        let raw = descriptor.raw
        let count = try systemCall("read", path) { pread(raw, &block, block.count, off_t(data)) }
        return data + UInt64(block[..<count].firstIndex { $0 != 0 } ?? count)
    }

    /// The most bytes in a file system's block.
    private static let largestBlock = 64 << 10
}
