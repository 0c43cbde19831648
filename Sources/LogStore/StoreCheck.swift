// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import SystemIO

/// Reads the whole store and reports damage: every byte that has a checksum, and everything whose existence is recorded
/// elsewhere. Changes nothing.
///
/// Concurrent changes by a writer or retention are not damage: findings are checked again, and reported only if they
/// persist.
public struct StoreCheck {
    public struct Stream: Hashable, Sendable {
        public var id: StreamID
        public var textBytes: UInt64
        public var damages: [Damage]
    }

    public struct VM: Hashable, Sendable {
        public var streams: [Stream]
        public var damages: [Damage]
    }

    private let store: Store
    /// Microseconds until the second scan, where there is a writer.
    private static let secondScanDelay: UInt32 = 200_000

    public init(_ store: Store) {
        self.store = store
    }

    /// Checks one VM. Throws when a file of it cannot be read for lack of permission; a stream that the store leaves out is
    /// passed over.
    public func check(_ vm: Store.VM) throws(SystemError) -> VM {
        let isWritten = store.isWritten(vm)
        let first = try scan(vm, isWritten)
        guard first.isDamaged else {
            return first
        }
        if isWritten {
            WorkerThread.pause(microseconds: Self.secondScanDelay)
        }
        return try scan(vm, isWritten).confirmed(by: first)
    }

    /// Checks what belongs to no VM: a file of the store, and what is where a VM's folder would be.
    public func checkStore() throws(SystemError) -> [Damage] {
        var damages = try RemovedVMs.damage(in: store).map { [$0] } ?? []
        for name in try store.fileSystem.names(in: store.root).sorted()
        where !name.hasPrefix(".") && VMIdentity(directoryName: name) != nil {
            let status = store.fileSystem.status(store.path(of: name))
            // A link to the VM's own folder, which may be on another disk, is followed.
            if status?.kind != .link || store.vm(in: name) == nil {
                damages += Damage(name, insteadOfFolder: status).map { [$0] } ?? []
            }
        }
        return damages
    }

    private func scan(_ vm: Store.VM, _ isWritten: Bool) throws(SystemError) -> VM {
        let directory = vm.directory
        var found = VM(streams: [], damages: [])
        // Retention may have removed it since it was listed.
        guard store.fileSystem.status(store.path(of: directory)) != nil else {
            return found
        }
        if let problem = vm.metadataProblem {
            found.damages.append(Damage(directory + "/vm.json", problem, remedy: Damage.rewritten))
        }
        let state = try checkWriterState(of: directory, &found.damages)
        let lock = directory + "/lock"
        if let status = store.fileSystem.status(store.root + "/" + lock), status.kind != .regular {
            found.damages.append(Damage(lock, "is not a regular file", remedy: Damage.rewritten))
        }
        var streams = Set(state?.ends.filter { $0.value > .start }.keys.map { $0 } ?? [])
        do throws(SystemError) {
            streams.formUnion(try store.streams(of: directory).map(\.stream))
            streams.formUnion(try streamsWithoutFolder(in: directory))
        } catch {
            guard error.isDamagedFile else {
                throw error
            }
            found.damages.append(Damage(directory, "cannot be read: \(error.reason)"))
        }
        for stream in streams.sorted() {
            let id = StreamID(vm: directory, stream: stream)
            var check = StreamCheck(
                id: id,
                layout: StreamLayout(path: store.path(of: id)),
                fileSystem: store.fileSystem,
                isWritten: isWritten,
                end: state?.ends[stream] ?? .start
            )
            do throws(SystemError) {
                try check.run()
            } catch {
                guard store.leavesOut(error) else {
                    throw error
                }
                continue
            }
            found.streams.append(Stream(id: id, textBytes: check.textBytes, damages: check.damages))
        }
        return found
    }

    /// The streams in whose place is something else than a folder.
    private func streamsWithoutFolder(in directory: String) throws(SystemError) -> [StreamName] {
        let path = store.path(of: directory)
        return try store.fileSystem.names(in: path).compactMap(StreamName.init).filter { stream in
            store.fileSystem.status(path + "/" + stream.text).map { !$0.isDirectory } ?? false
        }
    }

    private func checkWriterState(of directory: String, _ damages: inout [Damage]) throws(SystemError) -> WriterState? {
        let path = directory + "/" + WriterState.name
        let remedy = Damage.rewritten + "; until then the streams are treated as after a host crash"
        switch try MetadataFile.contents(of: store.root + "/" + path, on: store.fileSystem) {
        case .metadata(let metadata, let agree):
            if agree == false {
                damages.append(Damage(path, "does not agree with its checksum", remedy: remedy))
                return nil
            }
            return WriterState(metadata)
        case .unreadable(let reason):
            damages.append(Damage(path, reason, remedy: remedy))
        case .absent:
            // Versions without checksums removed the file when they closed the VM.
            let vmFile = store.metadataPath(directory)
            if case .metadata(_, true) = try MetadataFile.contents(of: vmFile, on: store.fileSystem) {
                damages.append(Damage(path, "is missing", remedy: Damage.rewritten))
            }
        }
        return nil
    }
}

extension Damage {
    /// What `status`, of what is at the path of a folder, shows; nil when that is a folder, or when nothing is there.
    init?(_ path: String, insteadOfFolder status: FileAttributes?, lost: Range<UInt64>? = nil) {
        guard let status, !status.isDirectory else {
            return nil
        }
        let remedy = "move it away; if a folder was there, put it back, or restore it from a backup"
        self.init(path, "is \(status.kind), not a directory", lost: lost, remedy: remedy)
    }
}

extension StoreCheck.VM {
    var isDamaged: Bool { !damages.isEmpty || streams.contains { !$0.damages.isEmpty } }

    /// The findings that an earlier scan had too.
    fileprivate func confirmed(by earlier: Self) -> Self {
        func key(_ damage: Damage) -> [String] { [damage.path, damage.problem] }
        let known = Set((earlier.damages + earlier.streams.flatMap(\.damages)).map(key))
        var confirmed = self
        confirmed.damages.removeAll { !known.contains(key($0)) }
        for index in confirmed.streams.indices {
            confirmed.streams[index].damages.removeAll { !known.contains(key($0)) }
        }
        return confirmed
    }
}
