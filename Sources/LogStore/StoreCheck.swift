import Glibc
import LogModel
import SystemIO

/// Reads everything that is stored and tells what is damaged: every byte that has a checksum, and everything that must be
/// there because something else says so. Changes nothing.
///
/// What a writer or retention does meanwhile is no damage: what is found is looked at again, and told only if it is
/// still so.
public struct StoreCheck {
    /// What was found of one stream.
    public struct Stream: Hashable, Sendable {
        /// Which.
        public var id: StreamID
        /// Bytes of text that can be read.
        public var textBytes: UInt64
        /// What is damaged.
        public var damages: [Damage]
    }

    /// What was found of one VM.
    public struct VM: Hashable, Sendable {
        /// The streams, by name.
        public var streams: [Stream]
        /// What is damaged in the VM's own folder.
        public var damages: [Damage]
    }

    private let store: Store
    /// Microseconds until the second look, where somebody writes.
    private static let secondScanDelay: UInt32 = 200_000

    /// A check of `store`.
    public init(_ store: Store) {
        self.store = store
    }

    /// Checks one VM. Throws when its folder cannot be read for want of permission.
    public func check(_ vm: Store.VM) throws(SystemError) -> VM {
        let isWritten = isWritten(vm.directory)
        let first = try scan(vm, isWritten)
        guard first.isDamaged else {
            return first
        }
        if isWritten {
            usleep(Self.secondScanDelay)
        }
        return try scan(vm, isWritten).confirmed(by: first)
    }

    /// Whether a process writes the VM now. When that cannot be told it is taken for granted.
    private func isWritten(_ directory: String) -> Bool {
        let path = store.path(of: directory) + "/lock"
        guard store.fileSystem.status(path) != nil else {
            return false
        }
        do throws(SystemError) {
            return try StoredFile(path, .read, on: store.fileSystem).isLocked
        } catch {
            return !error.isDamagedFile
        }
    }

    private func scan(_ vm: Store.VM, _ isWritten: Bool) throws(SystemError) -> VM {
        let directory = vm.directory
        var found = VM(streams: [], damages: [])
        if let problem = vm.factsProblem {
            found.damages.append(Damage(directory + "/vm.json", problem, remedy: Damage.rewritten))
        }
        let state = try checkWriterState(of: directory, &found.damages)
        let lock = directory + "/lock"
        if let status = store.fileSystem.status(store.root + "/" + lock), status.kind != .regular {
            found.damages.append(Damage(lock, "is no file", remedy: Damage.rewritten))
        }
        var streams = Set(state?.ends.filter { $0.value > .start }.keys.map { $0 } ?? [])
        do throws(SystemError) {
            streams.formUnion(try store.streams(of: directory).map(\.stream))
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
            try check.run()
            found.streams.append(Stream(id: id, textBytes: check.textBytes, damages: check.damages))
        }
        return found
    }

    private func checkWriterState(of directory: String, _ damages: inout [Damage]) throws(SystemError) -> WriterState? {
        let path = directory + "/" + WriterState.name
        let remedy = Damage.rewritten + "; until then the streams are taken for those of a host that went down"
        switch try FactsFile.contents(of: store.root + "/" + path, on: store.fileSystem) {
        case .facts(let facts, let agree):
            if agree == false {
                damages.append(Damage(path, "does not agree with its checksum", remedy: remedy))
                return nil
            }
            return WriterState(facts)
        case .unreadable(let reason):
            damages.append(Damage(path, reason, remedy: remedy))
        case .absent:
            // Versions that write no checksums removed the file when they closed the VM.
            if case .facts(_, true) = try FactsFile.contents(of: store.factsPath(directory), on: store.fileSystem) {
                damages.append(Damage(path, "is missing", remedy: Damage.rewritten))
            }
        }
        return nil
    }
}

extension StoreCheck.VM {
    /// Whether anything is damaged.
    public var isDamaged: Bool { !damages.isEmpty || streams.contains { !$0.damages.isEmpty } }

    /// What is found again of what an earlier look found.
    fileprivate func confirmed(by earlier: Self) -> Self {
        func key(_ damage: Damage) -> [String] { [damage.path, damage.problem] }
        let known = Set((earlier.damages + earlier.streams.flatMap(\.damages)).map(key))
        var confirmed = self
        confirmed.damages.removeAll { !known.contains(key($0)) }
        for place in confirmed.streams.indices {
            confirmed.streams[place].damages.removeAll { !known.contains(key($0)) }
        }
        return confirmed
    }
}
