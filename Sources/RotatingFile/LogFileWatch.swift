// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
import LogModel
import SystemIO

/// Tells which of many log files may have changed: one inotify instance for all of them, one watch per folder.
///
/// A missing folder is awaited by watching the nearest one above it that exists. Files for which the kernel refuses a
/// watch, or on whose file system other hosts' changes are not reported, are to be looked at every `pollInterval`.
/// Owned by one thread.
public final class LogFileWatch {
    /// Identifies a watched path.
    public struct ID: Hashable, Sendable {
        fileprivate let number: Int
    }

    private final class Folder {
        let watch: Int32
        /// Whether writes to its files are reported, and not only changes of its entries.
        var reportsWrites: Bool
        /// The watched files in it, by the names of their live files.
        var files: [String: Set<ID>] = [:]
        /// Those that wait for an entry of that name, a folder on the way to them.
        var awaited: [String: Set<ID>] = [:]

        var isEmpty: Bool { files.isEmpty && awaited.isEmpty }

        init(_ watch: Int32, reportsWrites: Bool) {
            self.watch = watch
            self.reportsWrites = reportsWrites
        }

        func insert(_ id: ID, _ location: Location) {
            if location.isFile {
                files[location.name, default: []].insert(id)
            } else {
                awaited[location.name, default: []].insert(id)
            }
        }

        func remove(_ id: ID, _ location: Location) {
            files[location.name]?.remove(id)
            awaited[location.name]?.remove(id)
            if files[location.name]?.isEmpty == true {
                files[location.name] = nil
            }
            if awaited[location.name]?.isEmpty == true {
                awaited[location.name] = nil
            }
        }
    }

    /// Where a file's changes are reported.
    private struct Location {
        let folder: Bytewise<String>
        /// The file's name, or that of the missing folder.
        let name: String
        let isFile: Bool
    }

    private let instance: DirectoryWatch?
    private let warn: (String) -> Void
    private var paths: [ID: String] = [:]
    private var locations: [ID: Location] = [:]
    private var folders: [Bytewise<String>: Folder] = [:]
    /// Several paths can lead to one folder.
    private var foldersOfWatch: [Int32: Set<Bytewise<String>>] = [:]
    private var polled: Set<ID> = []
    /// Logs that were deleted, and have not been there again. While one is open, the kernel does not report that its folders
    /// are removed, so that others of these names would not be watched.
    private var deleted: Set<ID> = []
    private var lastNumber = 0
    private var hasWarned = false

    /// How often files without a watch are to be looked at, in microseconds.
    public static let pollInterval: Int64 = 200_000

    /// `warn` is called once if there are files that have to be polled.
    public convenience init(warn: @escaping (String) -> Void) {
        self.init(opening: { () throws(SystemError) in try DirectoryWatch() }, warn: warn)
    }

    init(opening open: () throws(SystemError) -> DirectoryWatch, warn: @escaping (String) -> Void) {
        self.warn = warn
        do throws(SystemError) {
            instance = try open()
        } catch {
            instance = nil
            refuse(error)
        }
    }

    private func refuse(_ error: SystemError) {
        warnOnce("\(error)\(error.watchRemedy)")
    }

    private func warnOnce(_ reason: String) {
        if !hasWarned {
            hasWarned = true
            warn("\(reason); looking for changes every \(Self.pollInterval / 1000) ms instead")
        }
    }

    /// Readable when `changes` has something to report; nil when everything is polled.
    public var descriptor: Int32? { instance?.descriptor }

    /// Whether `changes` has to be called every `pollInterval`.
    public var isPolling: Bool { !polled.isEmpty || !deleted.isEmpty }

    /// Watches the log at `path`: the live file and its backups. The file has to be read once afterwards, for what had
    /// changed before.
    public func add(_ path: String) -> ID {
        lastNumber += 1
        let id = ID(number: lastNumber)
        paths[id] = path
        startWatching(id)
        return id
    }

    public func remove(_ id: ID) {
        stopWatching(id)
        paths[id] = nil
    }

    /// The logs that may have changed since the last call, with all that are polled.
    public func changes() -> Set<ID> {
        var changed = polled
        for event in instance?.drain() ?? [] {
            if event.isOverflow {
                changed.formUnion(paths.keys)
            }
            for path in foldersOfWatch[event.watch] ?? [] {
                if event.mask & UInt32(IN_DELETE) != 0 {
                    deleted.formUnion(folders[path]?.files[event.name] ?? [])
                }
                changed.formUnion(event.isFolderGone ? lose(path) : changes(in: path, event.name))
            }
        }
        for id in deleted where paths[id].map({ FileAttributes(at: $0) != nil }) ?? false {
            if let location = locations[id] {
                changed.formUnion(lose(location.folder))
            }
        }
        return changed
    }

    /// The logs that a change of the entry `name` of a watched folder concerns.
    private func changes(in path: Bytewise<String>, _ name: String) -> Set<ID> {
        guard let folder = folders[path] else {
            return []
        }
        var changed = folder.files[name] ?? []
        // The names of backups begin with the live file's.
        for index in name.utf8.indices where name.utf8[index] == 0x2e || name.utf8[index] == 0x2d {
            if let files = folder.files[String(name[..<index])] {
                changed.formUnion(files)
            }
        }
        if let found = folder.awaited[name] {
            restartWatching(found)
            changed.formUnion(found)
        }
        return changed
    }

    /// The folder at `path` is not there any more, or elsewhere.
    private func lose(_ path: Bytewise<String>) -> Set<ID> {
        guard let folder = folders[path] else {
            return []
        }
        let lost = Set(folder.files.values.joined()).union(folder.awaited.values.joined())
        restartWatching(lost)
        return lost
    }

    // MARK: - Watching

    private func restartWatching(_ ids: Set<ID>) {
        ids.forEach(stopWatching)
        ids.forEach(startWatching)
    }

    /// Watches the file's folder, or the nearest one above it that exists.
    private func startWatching(_ id: ID) {
        guard let instance, let path = paths[id] else {
            polled.insert(id)
            return
        }
        var (folder, name) = DirectoryHandle.split(path)
        var isFile = true
        while true {
            do throws(SystemError) {
                try watch(folder, on: instance, writes: isFile)
                register(id, Location(folder: Bytewise(folder), name: name, isFile: isFile))
                if isFile {
                    return pollIfRemote(id, folder)
                }
                // What was created before the watch was set is not reported.
                guard FileAttributes(at: folder == "/" ? "/" + name : folder + "/" + name) != nil else {
                    return
                }
                stopWatching(id)
                (folder, name) = DirectoryHandle.split(path)
                isFile = true
            } catch {
                guard error.code == ENOENT, folder != "/", folder != "." else {
                    refuse(error)
                    polled.insert(id)
                    return
                }
                (folder, name) = DirectoryHandle.split(folder)
                isFile = false
            }
        }
    }

    private func pollIfRemote(_ id: ID, _ folder: String) {
        if gl_is_remote(folder) {
            polled.insert(id)
            warnOnce("\(folder) is on a network or FUSE file system, which does not report all changes")
        }
    }

    private func watch(_ folder: String, on instance: DirectoryWatch, writes: Bool) throws(SystemError) {
        let present = folders[Bytewise(folder)]
        if let present, present.reportsWrites || !writes {
            return
        }
        let mask = writes ? DirectoryWatch.entriesAndWrites : DirectoryWatch.entries
        // Another path to the same folder keeps its events (IN_MASK_ADD).
        let watch = try instance.add(folder, mask: mask | UInt32(IN_ONLYDIR) | UInt32(IN_MASK_ADD))
        if let present {
            present.reportsWrites = true
        } else {
            folders[Bytewise(folder)] = Folder(watch, reportsWrites: writes)
        }
        foldersOfWatch[watch, default: []].insert(Bytewise(folder))
    }

    private func register(_ id: ID, _ location: Location) {
        locations[id] = location
        folders[location.folder]?.insert(id, location)
    }

    private func stopWatching(_ id: ID) {
        polled.remove(id)
        deleted.remove(id)
        guard let location = locations.removeValue(forKey: id), let folder = folders[location.folder] else {
            return
        }
        folder.remove(id, location)
        guard folder.isEmpty else {
            return
        }
        folders[location.folder] = nil
        foldersOfWatch[folder.watch]?.remove(location.folder)
        if foldersOfWatch[folder.watch]?.isEmpty == true {
            foldersOfWatch[folder.watch] = nil
            instance?.remove(folder.watch)
        }
    }
}
