import CLinux
import Glibc
import SystemIO

/// A log under virtlogd's names as its readers see it: PATH.n … PATH.0, PATH, oldest first, one text.
public struct RotatedFiles: Sendable {
    /// The live file.
    public var path: String
    /// Backups beside it.
    public var backups: Int

    /// The log at `path` with at most that many backups.
    public init(path: String, backups: Int) {
        self.path = path
        self.backups = backups
    }

    /// At most `maximum` bytes from byte `offset` of the file with that inode, going on into the newer ones.
    ///
    /// When no file has the inode any more, what was asked for has been rotated away: from the oldest byte that is left.
    public func read(from offset: UInt64, of inode: UInt64, maximum: Int) throws(SystemError) -> [UInt8] {
        var files: [OpenFile] = []
        for path in (0..<backups).reversed().map({ "\(path).\($0)" }) + [path] {
            if let file = try OpenFile(path) {
                files.append(file)
            }
        }
        guard !files.isEmpty else {
            throw SystemError("open", path, code: ENOENT)
        }
        var start: UInt64 = 0
        if let place = files.firstIndex(where: { $0.inode == inode }) {
            files.removeFirst(place)
            start = offset
        }
        var text: [UInt8] = []
        for file in files where text.count < maximum {
            text += try file.read(from: start, maximum: maximum - text.count)
            start = 0
        }
        return text
    }

    /// One of the files. All are opened before any is read: what is rotated meanwhile changes names, not files.
    private final class OpenFile {
        let path: String
        let inode: UInt64
        private let size: UInt64
        private let descriptor: Descriptor

        /// nil when there is no such file.
        init?(_ path: String) throws(SystemError) {
            let flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK
            let raw: Int32
            do throws(SystemError) {
                raw = try systemCall("open", path) { gl_open(path, flags, 0) }
            } catch {
                guard error.code == ENOENT else {
                    throw error
                }
                return nil
            }
            descriptor = Descriptor(owning: raw)
            var status = stat()
            try systemCall("stat", path) { fstat(raw, &status) }
            guard status.st_mode & S_IFMT == S_IFREG else {
                throw SystemError("read", path, code: EINVAL)
            }
            self.path = path
            inode = UInt64(status.st_ino)
            size = UInt64(status.st_size)
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
