// SPDX-License-Identifier: Apache-2.0

import Synchronization

/// The descriptors that outlive this process, and what they are.
///
/// The service manager, or the keeper in its place, stores a copy of each descriptor under a short name
/// (`DescriptorNames`). A folder has a small file of that name, the entry, which tells the next process what the
/// descriptor leads to. In this process a key stands for that. The cost of a change does not depend on the number of
/// descriptors.
public final class DescriptorStore: Sendable {
    private let folder: String
    private let formerPrefix: String
    private let service: ServiceManager
    private let fileSystem: any FileSystem
    private let names: Mutex<DescriptorNames>

    private static let ending = ".json"

    /// The store of `service`, with its entries in `folder`, which is created with the first one. Names begin with
    /// `prefix`; those that began with `formerPrefix`, which earlier versions have given, are replaced at the next
    /// `put`.
    public init(
        in folder: String,
        prefix: String,
        formerPrefix: String,
        service: ServiceManager,
        fileSystem: any FileSystem = LinuxFileSystem()
    ) {
        self.folder = folder
        self.formerPrefix = formerPrefix
        self.service = service
        self.fileSystem = fileSystem
        names = Mutex(DescriptorNames(prefix: prefix))
    }

    // MARK: - Names

    /// Whether a descriptor that was passed under `name` may be one of this store.
    public func ownsName(_ name: String) -> Bool {
        name.hasPrefix(formerPrefix) || names.withLock { $0.number(of: name) != nil }
    }

    /// The name under which the descriptor of `key` is stored, or will be.
    public func name(of key: String) -> String { names.withLock { $0.name(for: key) } }

    /// Takes over an entry of an earlier process: `name` stands for `key`.
    public func adopt(_ name: String, for key: String) { names.withLock { $0.adopt(name, for: key) } }

    // MARK: - Descriptors

    /// Stores a copy of `descriptor` with its entry, replacing those of `key`.
    ///
    /// When the entry cannot be written, the next process gets a descriptor that it cannot assign.
    public func put(_ key: String, _ descriptor: Int32, _ entry: [UInt8]) {
        let (name, former) = names.withLock { names in
            let former = names[key].flatMap { names.number(of: $0) == nil ? $0 : nil }
            if former != nil {
                names.remove(key)
            }
            return (names.name(for: key), former)
        }
        note(name, entry)
        if let former {
            // systemd ignores an open file that it has already under another name.
            remove(named: former)
        }
        service.store(descriptor, as: name)
    }

    /// Removes the descriptor of `key` and its entry, as far as they exist.
    public func remove(_ key: String) {
        if let name = names.withLock({ $0.remove(key) }) {
            remove(named: name)
        }
    }

    /// Removes a descriptor and its entry, as far as they exist, whose key is not known.
    public func remove(named name: String) {
        try? fileSystem.remove(folder + "/" + name + Self.ending)
        service.removeStored(name)
    }

    /// Has the service manager close the descriptor of that name, if it has one, and leaves the entry.
    public func close(named name: String) {
        service.removeStored(name)
    }

    // MARK: - Entries

    /// Writes an entry without a descriptor. The name has at most 245 bytes, and not the form of this store's names.
    public func note(_ name: String, _ entry: [UInt8]) {
        do throws(SystemError) {
            try fileSystem.replace(name + Self.ending, in: folder, with: entry)
        } catch  where error.code == SystemError.notFound {
            try? fileSystem.makeDirectory(folder)
            try? fileSystem.replace(name + Self.ending, in: folder, with: entry)
        } catch {
            // As described at `put`.
        }
    }

    /// The entries by name; unreadable ones are skipped.
    public func entries() -> [(name: String, entry: [UInt8])] {
        Self.names(in: folder, fileSystem).compactMap { name in
            guard let entry = try? fileSystem.contents(of: folder + "/" + name + Self.ending) else {
                return nil
            }
            return (name, entry)
        }
    }

    private static func names(in folder: String, _ fileSystem: any FileSystem) -> [String] {
        let names = (try? fileSystem.names(in: folder)) ?? []
        return names.sorted().filter { $0.hasSuffix(ending) }.map { String($0.dropLast(ending.utf8.count)) }
    }

    /// Removes a folder of entries for which no descriptors are stored.
    public static func removeEntries(in folder: String) {
        let fileSystem = LinuxFileSystem()
        names(in: folder, fileSystem).forEach { try? fileSystem.remove(folder + "/" + $0 + ending) }
        try? fileSystem.removeDirectory(folder)
    }
}
