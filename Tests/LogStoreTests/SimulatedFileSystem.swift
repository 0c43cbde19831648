// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogStore
import SystemIO
import TestSupport

/// A file system in memory that fails, tears and loses data as real ones may; everything is determined by a seed.
///
/// The model, of ext4 and xfs with their defaults:
/// - What a call did is in the page cache and the directory cache: every later call sees it, also of another process.
/// - Names: creating, renaming and removing go to one journal, in order; the host's death keeps some beginning of it.
///   A file's fsync keeps the beginning up to the file's creation, a folder's up to the last operation in it; syncfs
///   keeps all.
/// - Contents: of the writes and cuts of a file since its last sync, each on its own may be kept, be lost, be torn at any
///   byte, or have grown the file without the bytes, which then read as zeros.
/// - A sync that fails leaves the page cache as it is and clean: what was dirty may be on disk or not, and later syncs
///   succeed without it.
/// - The process's death ends everything at some call, which may have happened in part.
final class SimulatedFileSystem: FileSystem, @unchecked Sendable {
    // Sendable because a simulation runs on one thread.

    private final class Node {
        var isDirectory = false
        var isUnreadable = false
        var cached: [UInt8] = []
        var durable: [UInt8] = []
        var pending: [Change] = []
        var modified: Int64 = 0
        /// The holders of the file's lock, and of the numbered ones; whether they share it.
        var holders: [Int64?: (files: Set<Int32>, areShared: Bool)] = [:]
    }

    private enum Change {
        case write(at: Int, [UInt8])
        case cut(Int)
    }

    private enum NameChange {
        case put(String, Node)
        case remove(String)
        case rename(String, String)
    }

    private var names: [String: Node] = [:]
    private var durableNames: [String: Node] = [:]
    private var journal: [(change: NameChange, node: Node)] = []
    private var open: [Int32: Node] = [:]
    private var nextFile: Int32 = 3
    var random: SeededGenerator
    /// The time of new modifications.
    var now: Int64 = 1_700_000_000_000_000

    /// Calls until the process dies; nil: it does not.
    var callsUntilDeath: Int?
    /// Whether the process died: calls have no effect until `reboot`.
    private(set) var isDead = false
    /// Of 1,000 calls that change something, how many fail, and with which errors.
    var failureRate = 0
    var failureCodes: [Int32] = [ENOSPC, EIO]
    /// How often a caller has waited for the disk to have one file or folder.
    private(set) var syncs = 0
    /// Whether the next sync of everything fails.
    var failsNextSync = false
    /// Whether writes may be short.
    var shortensWrites = true

    init(seed: UInt64) {
        random = SeededGenerator(seed: seed)
        let root = Node()
        root.isDirectory = true
        names["/store"] = root
        durableNames["/store"] = root
    }

    private func chance(_ part: Int, in whole: Int) -> Bool { Int.random(in: 0..<whole, using: &random) < part }

    /// Whether the current call is the process's last.
    private func isLastCall() throws(SystemError) -> Bool {
        guard !isDead else {
            throw SystemError("dead", code: EIO)
        }
        guard let left = callsUntilDeath else {
            return false
        }
        callsUntilDeath = left - 1
        return left <= 1
    }

    /// Runs `body`, or fails, or dies before, after or (by `part`) in the middle of it.
    private func change<Result>(
        _ operation: String,
        part: () -> Void = {},
        _ body: () throws(SystemError) -> Result
    ) throws(SystemError) -> Result {
        if try isLastCall() {
            isDead = true
            callsUntilDeath = nil
            switch Int.random(in: 0..<3, using: &random) {
            case 0: part()
            case 1: _ = try body()
            default: break
            }
            throw SystemError("death in " + operation, code: EIO)
        }
        if failureRate > 0, chance(failureRate, in: 1000) {
            part()
            throw SystemError(operation, code: failureCodes.randomElement(using: &random) ?? EIO)
        }
        return try body()
    }

    private func node(_ file: FileID) throws(SystemError) -> Node {
        guard let node = open[file.number] else {
            throw SystemError("use of a closed file", code: EBADF)
        }
        return node
    }

    private func note(_ change: NameChange, _ node: Node) { journal.append((change, node)) }

    private static func apply(_ change: NameChange, to names: inout [String: Node]) {
        switch change {
        case .put(let path, let node): names[path] = node
        case .remove(let path): names[path] = nil
        case .rename(let path, let target):
            names[target] = names[path]
            names[path] = nil
        }
    }

    private static func apply(_ change: Change, to bytes: inout [UInt8]) {
        switch change {
        case .cut(let size):
            if size < bytes.count {
                bytes.removeLast(bytes.count - size)
            } else {
                bytes += repeatElement(0, count: size - bytes.count)
            }
        case .write(let at, let new):
            if bytes.count < at + new.count {
                bytes += repeatElement(0, count: at + new.count - bytes.count)
            }
            bytes.replaceSubrange(at..<at + new.count, with: new)
        }
    }

    private func put(_ change: Change, _ node: Node) {
        Self.apply(change, to: &node.cached)
        node.pending.append(change)
        node.modified = now
    }

    // MARK: - Crashes

    /// The writer's process has died: its locks are free, its changes stay, readers in other processes continue.
    func processDies() {
        isDead = false
        callsUntilDeath = nil
        for node in names.values {
            node.holders = [:]
        }
    }

    /// The host has crashed: unsynced data are kept, lost, torn or zero.
    func hostDies() {
        for (change, _) in journal.prefix(Int.random(in: 0...journal.count, using: &random)) {
            Self.apply(change, to: &durableNames)
        }
        journal.removeAll()
        names = durableNames
        for path in names.keys.sorted() {
            if let node = names[path] {
                settle(node)
                node.cached = node.durable
            }
        }
        processDies()
    }

    /// Decides which of a node's unsynced changes are on disk.
    private func settle(_ node: Node) {
        // Often all of them have the same fate.
        let bias = Int.random(in: 0..<4, using: &random)
        for change in node.pending {
            let fate = bias < 2 ? bias : Int.random(in: 0..<5, using: &random)
            switch (fate, change) {
            case (0, _): break
            case (3, .write(let at, let bytes)):
                let kept = Int.random(in: 0...bytes.count, using: &random)
                Self.apply(.write(at: at, Array(bytes.prefix(kept))), to: &node.durable)
            case (4, .write(let at, let bytes)):
                if node.durable.count < at + bytes.count {
                    Self.apply(.cut(at + bytes.count), to: &node.durable)
                }
            default: Self.apply(change, to: &node.durable)
            }
        }
        node.pending.removeAll()
    }

    // MARK: - Damage, for tests

    /// The contents as every process sees them.
    subscript(path: String) -> [UInt8]? {
        get { names[path]?.cached }
        set {
            guard let newValue else {
                names[path] = nil
                durableNames[path] = nil
                return
            }
            let node = names[path] ?? Node()
            node.cached = newValue
            node.durable = newValue
            node.pending.removeAll()
            names[path] = node
            durableNames[path] = node
        }
    }

    /// From now on the disk cannot read the file at `path`, unless it `recovers`.
    func spoil(_ path: String, recovers: Bool = false) {
        names[path]?.isUnreadable = !recovers
    }

    /// Replaces the file at `path` by an empty folder.
    func putFolder(at path: String) {
        let node = Node()
        node.isDirectory = true
        names[path] = node
        durableNames[path] = node
    }

    /// A copy of all files and folders, synced, in a file system of its own.
    func copy(seed: UInt64) -> SimulatedFileSystem {
        let copy = SimulatedFileSystem(seed: seed)
        for (path, node) in names {
            if node.isDirectory {
                copy.putFolder(at: path)
            } else {
                copy[path] = node.cached
                copy.names[path]?.modified = node.modified
            }
        }
        return copy
    }

    var files: [String] { names.filter { !$0.value.isDirectory }.map(\.key).sorted() }

    // MARK: - FileSystem

    func open(_ path: String, _ mode: OpenMode) throws(SystemError) -> FileID {
        let creates = { if case .create = mode { true } else { false } }()
        if names[path] == nil, creates, !isDead {
            try change("open") { () throws(SystemError) in
                guard names[parent(of: path)] != nil else {
                    throw SystemError("open", path, code: ENOENT)
                }
                let node = Node()
                node.modified = now
                names[path] = node
                note(.put(path, node), node)
            }
        } else if try isLastCall() {
            isDead = true
            throw SystemError("death in open", code: EIO)
        }
        guard let node = names[path] else {
            throw SystemError("open", path, code: ENOENT)
        }
        guard !node.isDirectory else {
            throw SystemError("open", path, code: EISDIR)
        }
        nextFile += 1
        open[nextFile] = node
        return FileID(number: nextFile)
    }

    private func parent(of path: String) -> String {
        let cut = path.lastIndex(of: "/") ?? path.startIndex
        return String(path[..<cut])
    }

    func close(_ file: FileID) {
        unlock(file)
        open[file.number] = nil
    }

    func read(_ file: FileID, at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(SystemError) -> Int {
        if isDead {
            throw SystemError("dead", code: EIO)
        }
        let node = try node(file)
        guard !node.isUnreadable else {
            throw SystemError("read", code: EIO)
        }
        let bytes = node.cached
        let count = max(0, min(buffer.count, bytes.count - offset))
        if count > 0 {
            bytes.withUnsafeBytes {
                buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[offset..<offset + count]))
            }
        }
        return count
    }

    func write(_ file: FileID, at offset: Int, _ bytes: UnsafeRawBufferPointer) throws(SystemError) -> Int {
        let node = try isDead ? Node() : node(file)
        // A write that fails is incomplete.
        let part = Int.random(in: 0..<max(1, bytes.count), using: &random)
        return try change(
            "write",
            part: { if part > 0 { put(.write(at: offset, Array(bytes.prefix(part))), node) } },
            { () throws(SystemError) in
                let count = shortensWrites && part > 0 && chance(1, in: 20) ? part : bytes.count
                put(.write(at: offset, Array(bytes.prefix(count))), node)
                return count
            }
        )
    }

    func truncate(_ file: FileID, to size: Int) throws(SystemError) {
        let node = try isDead ? Node() : node(file)
        try change("truncate") { () throws(SystemError) in put(.cut(size), node) }
    }

    func size(_ file: FileID) throws(SystemError) -> Int {
        if isDead {
            throw SystemError("dead", code: EIO)
        }
        return try node(file).cached.count
    }

    func synchronize(_ file: FileID) throws(SystemError) {
        syncs += 1
        let node = try isDead ? Node() : node(file)
        try change("fdatasync", part: { settle(node) }) { () throws(SystemError) in
            node.durable = node.cached
            node.pending.removeAll()
            commitJournal { entry in
                if case .put = entry.change { entry.node === node } else { false }
            }
        }
    }

    /// Syncs the journal up to the last entry that satisfies `isMeant`.
    private func commitJournal(upTo isMeant: ((change: NameChange, node: Node)) -> Bool) {
        let last = journal.lastIndex(where: isMeant) ?? -1
        for (change, _) in journal[..<(last + 1)] {
            Self.apply(change, to: &durableNames)
        }
        journal.removeFirst(last + 1)
    }

    func synchronizeDirectory(_ path: String) throws(SystemError) {
        syncs += 1
        try change("fsync") { () throws(SystemError) in
            commitJournal { entry in
                switch entry.change {
                case .put(let name, _), .remove(let name), .rename(_, let name): parent(of: name) == path
                }
            }
        }
    }

    func synchronizeAll(_ file: FileID) throws(SystemError) {
        let fails = failsNextSync
        failsNextSync = false
        func settleAll() {
            for path in names.keys.sorted() {
                names[path].map { settle($0) }
            }
        }
        try change("syncfs", part: settleAll) { () throws(SystemError) in
            if fails {
                settleAll()
                throw SystemError("syncfs", code: EIO)
            }
            for node in names.values {
                node.durable = node.cached
                node.pending.removeAll()
            }
            for (change, _) in journal {
                Self.apply(change, to: &durableNames)
            }
            journal.removeAll()
        }
    }

    func setModified(_ path: String, _ microseconds: Int64) throws(SystemError) {
        try change("utimensat") { () throws(SystemError) in names[path]?.modified = microseconds }
    }

    func tryLock(_ file: FileID, isShared: Bool) -> Bool { take(file, nil, isShared) }

    func isLocked(_ file: FileID) -> Bool {
        open[file.number]?.holders[nil].map { !$0.areShared && $0.files != [file.number] } ?? false
    }

    func tryLock(_ file: FileID, number: Int64, isShared: Bool) -> Bool { take(file, number, isShared) }

    func unlock(_ file: FileID, number: Int64) {
        open[file.number].map { release(file, $0, number) }
    }

    func unlock(_ file: FileID) {
        guard let node = open[file.number] else {
            return
        }
        for number in node.holders.keys {
            release(file, node, number)
        }
    }

    func isLocked(_ file: FileID, number: Int64) -> Bool {
        open[file.number]?.holders[number].map { $0.files != [file.number] } ?? false
    }

    private func take(_ file: FileID, _ number: Int64?, _ isShared: Bool) -> Bool {
        guard let node = open[file.number] else {
            return false
        }
        let held = node.holders[number] ?? ([], isShared)
        guard held.files.subtracting([file.number]).isEmpty || held.areShared && isShared else {
            return false
        }
        node.holders[number] = (held.files.union([file.number]), isShared)
        return true
    }

    private func release(_ file: FileID, _ node: Node, _ number: Int64?) {
        node.holders[number]?.files.remove(file.number)
        if node.holders[number]?.files.isEmpty == true {
            node.holders[number] = nil
        }
    }

    func allocate(_ file: FileID, _ size: Int) throws(SystemError) {}

    func space(at path: String) -> FileSystemSpace? { nil }

    func makeDirectory(_ path: String) throws(SystemError) {
        guard isDead || names[path] == nil else {
            return
        }
        try change("mkdir") { () throws(SystemError) in
            let node = Node()
            node.isDirectory = true
            names[path] = node
            note(.put(path, node), node)
        }
    }

    func names(in directory: String) throws(SystemError) -> [String] {
        if isDead {
            throw SystemError("dead", code: EIO)
        }
        guard names[directory]?.isDirectory == true else {
            throw SystemError("open", directory, code: ENOENT)
        }
        let prefix = directory + "/"
        // In an unspecified order.
        return names.keys.filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
            .filter { !$0.contains("/") }.sorted().reversed()
    }

    func rename(_ path: String, to target: String) throws(SystemError) {
        try change("rename") { () throws(SystemError) in
            guard let node = names[path] else {
                throw SystemError("rename", path, code: ENOENT)
            }
            names[target] = node
            names[path] = nil
            note(.rename(path, target), node)
        }
    }

    func remove(_ path: String) throws(SystemError) {
        try change("unlink") { () throws(SystemError) in
            if let node = names.removeValue(forKey: path) {
                note(.remove(path), node)
            }
        }
    }

    func removeDirectory(_ path: String) throws(SystemError) { try remove(path) }

    func status(_ path: String) -> FileAttributes? {
        guard !isDead, let node = names[path] else {
            return nil
        }
        return FileAttributes(
            node.isDirectory ? .directory : .regular,
            FileIdentity(device: 0, inode: UInt64(UInt(bitPattern: ObjectIdentifier(node)))),
            size: node.cached.count,
            modified: Int(node.modified) * 1000
        )
    }
}
