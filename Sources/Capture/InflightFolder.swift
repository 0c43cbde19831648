import CLinux
import Glibc
import LogStore
import SystemIO

/// The folder of one process's rings, on tmpfs. Its file `lock` is locked while the process lives: so no process takes the
/// rings of one that lives, in whatever namespace of process ids that is.
final class InflightFolder {
    let path: String
    private let lock: StoredFile

    private static let lockName = "lock"

    /// Takes the folder for this process, and makes it when it is missing. Throws EWOULDBLOCK, with the other's process
    /// id, when a process that lives has it.
    init(_ path: String) throws(SystemError) {
        self.path = path
        let fileSystem = LinuxFileSystem()
        try fileSystem.makeDirectories(path)
        lock = try Self.lock(path)
        try lock.truncate(to: 0)
        // On a full tmpfs there is no room for the number: it is there for messages alone.
        try? lock.write(at: 0, Array("\(getpid())\n".utf8))
    }

    /// Takes the folder that a process of this user's has left; nil when there is none, or its process lives.
    init?(leftAt path: String) {
        var status = stat()
        guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR, status.st_uid == geteuid(),
            let lock = try? Self.lock(path)
        else {
            return nil
        }
        self.path = path
        self.lock = lock
    }

    private static func lock(_ folder: String) throws(SystemError) -> StoredFile {
        let path = folder + "/" + lockName
        let file = try StoredFile(path, .create, on: LinuxFileSystem())
        guard file.tryLock() else {
            let owner = (try? file.read(at: 0, count: 32)).map { String(decoding: $0.prefix { $0 > 0x20 }, as: UTF8.self) }
            throw SystemError("lock (in use by process \(owner ?? "?"))", folder, code: SystemError.wouldBlock)
        }
        // The process before may have removed the folder, and the file with it, just before it let go.
        guard LinuxFileSystem().status(path) != nil else {
            throw SystemError("lock", folder, code: SystemError.notFound)
        }
        return file
    }

    /// The rings that processes which have ended left here, oldest first, and the number for the next one's.
    func rings(hostBoot: String) -> (left: [InflightRing], next: Int) {
        var found: [(generation: Int, ring: InflightRing)] = []
        var last = 0
        for name in (try? LinuxFileSystem().names(in: path).sorted()) ?? [] where name.hasSuffix(".ring") {
            guard let generation = name.split(separator: "-").first.flatMap({ Int($0) }) else {
                continue
            }
            last = max(last, generation)
            let file = path + "/" + name
            guard let ring = try? InflightRing(existing: file, hostBoot: hostBoot) else {
                // Not one of this boot of the host, or of this version: nothing in it can be taken up.
                unlink(file)
                continue
            }
            found.append((generation, ring))
        }
        return (found.sorted { $0.generation < $1.generation }.map(\.ring), last + 1)
    }

    /// Removes the folder when it holds nothing but the lock.
    func removeIfEmpty() {
        let names = (try? LinuxFileSystem().names(in: path)) ?? []
        if names == [Self.lockName] {
            unlink(path + "/" + Self.lockName)
            rmdir(path)
        }
    }
}
