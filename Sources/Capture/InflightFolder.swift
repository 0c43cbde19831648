// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogStore
import SystemIO

/// The folder of one process's rings, on tmpfs. Its file `lock` is locked while the process runs: so no other process
/// takes its rings, in whatever namespace of process ids.
final class InflightFolder {
    let path: String
    private let lock: StoredFile
    /// How many sources have counted losses that no ring records yet.
    private var unrecorded = 0

    private static let lockName = "lock"

    /// Takes the folder for this process; creates it when it is missing. Throws EWOULDBLOCK, with the other's process
    /// id, when a running process has it.
    init(_ path: String) throws(SystemError) {
        self.path = path
        let fileSystem = LinuxFileSystem()
        try fileSystem.makeDirectories(path)
        lock = try Self.lock(path)
        try lock.truncate(to: 0)
        // On a full tmpfs there is no room for the number, which is used in messages only.
        try? lock.write(at: 0, Array("\(getpid())\n".utf8))
    }

    /// Takes the folder of an ended process of this user; nil when there is none, or its process runs. A folder that a
    /// process of root has left belongs to the owner of the folder above.
    init?(abandonedAt path: String) {
        let parent = FileOwner(of: DirectoryHandle.split(path).directory)
        guard let found = FileAttributes(at: path), found.isDirectory,
            found.owner == geteuid() || found.owner == parent?.user, let lock = try? Self.lock(path)
        else {
            return nil
        }
        self.path = path
        self.lock = lock
    }

    private static func lock(_ folder: String) throws(SystemError) -> StoredFile {
        let path = folder + "/" + lockName
        // The previous process may remove the folder, with the file in it, just before it releases the lock.
        if let file = try StoredFile.locked(at: path, within: StoredFile.lockWait) {
            return file
        }
        throw isHeld(folder, by: holder(of: folder) ?? 0)
    }

    /// The id of the process that has the folder at `path`, 0 when that is not known; nil when none has it.
    static func holder(of path: String) -> Int32? {
        guard let file = try? StoredFile(path + "/" + lockName, .read, on: LinuxFileSystem()), file.isLocked else {
            return nil
        }
        let text = (try? file.read(at: 0, count: 32)) ?? []
        return Int32(String(decoding: text.prefix { $0 > 0x20 }, as: UTF8.self)) ?? 0
    }

    /// The error of a folder that `process` has.
    static func isHeld(_ folder: String, by process: Int32) -> SystemError {
        let owner = process > 0 ? String(process) : "?"
        return SystemError("lock", folder, code: SystemError.wouldBlock, reason: "in use by process \(owner)")
    }

    /// The rings of ended processes in the folder.
    struct AbandonedRings {
        /// The rings, oldest first.
        var rings: [InflightRing] = []
        /// The number for the next ring.
        var next = 1
        /// Whether one of the processes had data in a ring that cannot be read: in its own memory, damaged, or of another
        /// version.
        var hasLost = false
    }

    /// Opens the rings that ended processes have left here. Spent ones are removed, whether the store can be opened or
    /// not: processes that fail one after another must not fill the file system.
    func takeAbandoned(hostBoot: String) -> AbandonedRings {
        var found: [(generation: Int, ring: InflightRing)] = []
        var left = AbandonedRings()
        for name in (try? LinuxFileSystem().names(in: path).sorted()) ?? [] where name.hasSuffix(".ring") {
            guard let generation = name.split(separator: "-").first.flatMap({ Int($0) }) else {
                continue
            }
            // The largest number has no next one: then the other rings decide.
            left.next = max(left.next, generation &+ 1)
            let file = path + "/" + name
            do throws(SystemError) {
                if let ring = try InflightRing(existing: file, hostBoot: hostBoot) {
                    found.append((generation, ring))
                    left.hasLost = left.hasLost || ring.isDamaged
                    continue
                }
                // It is of another boot of the host: there is nothing to recover. An empty one was in memory.
                left.hasLost = left.hasLost || LinuxFileSystem().status(file)?.size == 0
            } catch {
                left.hasLost = true
            }
            unlink(file)
        }
        let rings = found.sorted { $0.generation < $1.generation }.map(\.ring)
        // It records when guests were last drained, until a process succeeds.
        let latest = rings.filter { $0.lastTurn > 0 }.max { $0.lastTurn < $1.lastTurn }
        left.rings = rings.filter { ring in
            guard ring !== latest, ring.isSpent else {
                return true
            }
            ring.removeFile()
            return false
        }
        return left
    }

    /// The rings of a folder that no process uses any more; what cannot be read is reported.
    func rings(hostBoot: String, _ diagnostics: Diagnostics) -> [InflightRing] {
        let left = takeAbandoned(hostBoot: hostBoot)
        if left.hasLost {
            diagnostics.log(
                .warning,
                "\(path): the ring of the previous process cannot be read; output not yet stored is lost"
            )
        }
        return left.rings
    }

    /// An empty ring, which fits into a full file system too: it records for the next process that output was lost.
    private var unrecordedPath: String { path + "/0-unrecorded.ring" }

    /// Adds `change` to the number of sources whose losses are recorded in no ring; negative when they were recorded.
    func noteUnrecorded(_ change: Int) {
        let before = unrecorded
        unrecorded += change
        if before == 0, unrecorded > 0 {
            _ = try? StoredFile(unrecordedPath, .create, on: LinuxFileSystem())
        } else if unrecorded == 0 {
            unlink(unrecordedPath)
        }
    }

    /// Removes the folder when it contains nothing but the lock.
    func removeIfEmpty() {
        let names = (try? LinuxFileSystem().names(in: path)) ?? []
        if names == [Self.lockName] {
            unlink(path + "/" + Self.lockName)
            rmdir(path)
        }
    }
}
