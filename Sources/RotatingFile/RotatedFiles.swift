// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO

/// A log under virtlogd's names, for reading: PATH.n … PATH.0, PATH, oldest first, as one text.
public struct RotatedFiles: Sendable {
    public var path: String
    /// The part of the path in which links are followed; they are refused below it. nil: followed everywhere, except
    /// for the files themselves.
    public var trustedFolder: String?
    /// Number of backups.
    public var backups: Int

    public init(path: String, trustedFolder: String? = nil, backups: Int) {
        self.path = path
        self.trustedFolder = trustedFolder
        self.backups = backups
    }

    /// At most `maximum` bytes from byte `offset` of the file with that inode, continued in the newer ones.
    ///
    /// When no file has the inode any more, the requested bytes have been rotated away: reads from the oldest byte
    /// left.
    public func read(from offset: UInt64, of inode: UInt64, maximum: Int) throws(SystemError) -> [UInt8] {
        var files: [OpenFile] = []
        let (parent, name) = DirectoryHandle.split(path)
        let folder = try DirectoryHandle(parent, trusted: trustedFolder)
        for name in (0..<backups).reversed().map({ "\(name).\($0)" }) + [name] {
            if let file = try OpenFile(name, in: folder) {
                files.append(file)
            }
        }
        guard !files.isEmpty else {
            throw SystemError("open", path, code: ENOENT)
        }
        var start: UInt64 = 0
        if let index = files.firstIndex(where: { $0.inode == inode }) {
            files.removeFirst(index)
            start = offset
        }
        var text: [UInt8] = []
        for file in files where text.count < maximum {
            text += try file.read(from: start, maximum: maximum - text.count)
            start = 0
        }
        return text
    }

    /// One of the files. All are opened before any is read, because a rotation changes names, not files.
    private final class OpenFile {
        let path: String
        let inode: UInt64
        private let size: UInt64
        private let descriptor: Descriptor

        /// nil when the file does not exist.
        init?(_ name: String, in folder: borrowing DirectoryHandle) throws(SystemError) {
            path = folder.path(of: name)
            do throws(SystemError) {
                descriptor = try folder.openRegular(name, O_RDONLY)
            } catch {
                guard error.code == ENOENT else {
                    throw error
                }
                return nil
            }
            let status = try FileAttributes(of: descriptor.raw, path)
            inode = status.identity.inode
            size = UInt64(status.size)
        }

        func read(from start: UInt64, maximum: Int) throws(SystemError) -> [UInt8] {
            let wanted = min(maximum, Int(size - min(size, start)))
            var text = [UInt8](repeating: 0, count: wanted)
            var done = 0
            while done < wanted {
                let rest = wanted - done
                let count = text.withUnsafeMutableBytes { buffer in
                    pread(descriptor.raw, buffer.baseAddress! + done, rest, off_t(start) + off_t(done))
                }
                if count < 0, errno != EINTR {
                    throw SystemError("read", path)
                }
                guard count != 0 else {
                    break
                }
                done += max(0, count)
            }
            text.removeLast(wanted - done)
            return text
        }
    }
}
