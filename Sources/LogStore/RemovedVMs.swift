// SPDX-License-Identifier: Apache-2.0

import LogModel
import SystemIO

/// What is kept of VMs whose history was removed, in the store's file `.removed`: where the streams of a VM begin that
/// comes back in the same folder, and where they ended. Outputs, cursors and receivers know positions for longer than the
/// store has the text, so none is used for other text, and an output tells what was removed before it was delivered.
struct RemovedVMs {
    private struct Entry {
        /// The first multiple of `StoreLimits.restartStride` that was not used.
        var stride: UInt64
        var removed: Timestamp
        /// Where the streams ended; empty when an earlier version removed the VM.
        var ends: [StreamName: UInt64] = [:]
    }

    /// By the VM's folder.
    private var entries: [String: Entry] = [:]

    /// The file's name, which no VM's folder has: those never begin with a dot.
    static let name = ".removed"
    /// How long a VM is remembered, in microseconds: 90 days.
    static let age: Int64 = 90 * 86_400 * 1_000_000
    /// Maximum number of VMs; beyond it those that were removed first are forgotten.
    static let limit = 10_000

    /// Reads the file of `store`; without entries when the file is missing or damaged.
    init(in store: Store) {
        let limit = LinuxFileSystem.tableLimit
        guard
            case .metadata(let metadata, true)? =
                try? MetadataFile.contents(of: Self.path(in: store), limit: limit, on: store.fileSystem),
            case .object(let members)? = metadata["vms"]
        else {
            return
        }
        let ends = Self.ends(in: metadata["ends"])
        for (directory, entry) in members {
            if let numbers = entry.elements, numbers.count == 2, let stride = numbers[0].integer,
                let removed = numbers[1].integer, stride > 0, UInt64(stride) < StoreLimits.strideLimit
            {
                entries[directory] = Entry(
                    stride: UInt64(stride),
                    removed: Timestamp(microseconds: removed),
                    ends: ends[directory] ?? [:]
                )
            }
        }
    }

    /// The ends of the streams by the VM's folder.
    private static func ends(in member: JSON?) -> [String: [StreamName: UInt64]] {
        guard case .object(let vms)? = member else {
            return [:]
        }
        var ends: [String: [StreamName: UInt64]] = [:]
        for case (let directory, .object(let streams)) in vms {
            for (name, end) in streams {
                if let stream = StreamName(name), let end = end.integer, end > 0, end < StreamLayout.positionLimit {
                    ends[directory, default: [:]][stream] = UInt64(end)
                }
            }
        }
        return ends
    }

    /// The damage to the file of `store`, if there is any.
    static func damage(in store: Store) throws(SystemError) -> Damage? {
        let remedy =
            "it is rewritten when the next log is removed; until then, new records of a removed VM that returns may get "
            + "positions used before"
        let limit = LinuxFileSystem.tableLimit
        switch try MetadataFile.contents(of: path(in: store), limit: limit, on: store.fileSystem) {
        case .absent, .metadata(_, agree: true): return nil
        case .metadata: return Damage(name, "does not agree with its checksum", remedy: remedy)
        case .unreadable(let reason): return Damage(name, reason, remedy: remedy)
        }
    }

    /// The stride at which new streams of the VM in `directory` begin; 0 when it is not known to have been removed.
    func stride(of directory: String) -> UInt64 { entries[directory]?.stride ?? 0 }

    /// The streams of the removed VMs.
    var streams: [RemovedStream] {
        entries.flatMap { directory, entry in
            entry.ends.map { stream, end in
                RemovedStream(id: StreamID(vm: directory, stream: stream), end: end, removed: entry.removed)
            }
        }
    }

    /// Notes that the VM in `directory` is removed at `now`, that its streams have these ends, and that it has used no
    /// position from `stride` on. `created` is when the VM began; nil: unknown. Of a VM that was removed before that only
    /// the stride is kept: a stream that the present one does not have has not ended again.
    mutating func note(
        _ directory: String,
        stride: UInt64,
        ends: [StreamName: UInt64] = [:],
        created: Timestamp? = nil,
        at now: Timestamp
    ) {
        let stride = min(max(stride, self.stride(of: directory)), StoreLimits.strideLimit - 1)
        // Only a part of it may have been removed when it was noted before.
        let earlier = entries[directory].flatMap { $0.removed > created ?? .distantPast ? $0.ends : nil } ?? [:]
        let ends = ends.merging(earlier) { max($0, $1) }
        entries[directory] = Entry(stride: stride, removed: now, ends: ends)
    }

    /// Forgets what is older than `age` at `now`, and what exceeds the limit.
    mutating func prune(at now: Timestamp) {
        let oldest = now.advanced(byMicroseconds: -Self.age)
        entries = entries.filter { $0.value.removed >= oldest }
        let excess = entries.count - Self.limit
        if excess > 0 {
            for (directory, _) in entries.sorted(by: { $0.value.removed < $1.value.removed }).prefix(excess) {
                entries[directory] = nil
            }
        }
    }

    func write(to store: Store) throws(SystemError) {
        let members = entries.sorted { $0.key < $1.key }.map { directory, entry in
            (directory, JSON.array([.integer(Int64(entry.stride)), .integer(entry.removed.microseconds)]))
        }
        let ends = entries.filter { !$0.value.ends.isEmpty }.sorted { $0.key < $1.key }.map { directory, entry in
            let ends = entry.ends.sorted { $0.key < $1.key }.map { ($0.key.text, JSON.integer(Int64($0.value))) }
            return (directory, JSON.object(ends))
        }
        let text = MetadataFile.text(of: [
            ("format", .integer(Int64(StoreLimits.formatVersion))), ("vms", .object(members)), ("ends", .object(ends)),
        ])
        try store.fileSystem.clear(Self.path(in: store), for: .regular)
        try store.fileSystem.replace(Self.name, in: store.root, with: text)
    }

    static func path(in store: Store) -> String { store.root + "/" + name }
}

/// A stream of a VM whose log was removed.
public struct RemovedStream: Hashable, Sendable {
    public let id: StreamID
    /// The position after its text.
    public let end: UInt64
    /// When it was removed.
    public let removed: Timestamp

    /// The number of bytes between `position` and the end; nil when it is unknown, because positions were left out
    /// between.
    public func bytes(after position: UInt64) -> UInt64? {
        guard end > position else {
            return 0
        }
        return StoreLimits.lastJump(before: end) <= position ? end - position : nil
    }
}

extension Store {
    /// The streams of the VMs that were removed as a whole, as far as that is remembered.
    public func removedStreams() -> [RemovedStream] { RemovedVMs(in: self).streams }

    /// The status of the file with what `removedStreams` returns: it changes when a VM is removed.
    public var removalStatus: FileAttributes? { fileSystem.status(RemovedVMs.path(in: self)) }
}
