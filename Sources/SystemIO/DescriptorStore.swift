// SPDX-License-Identifier: Apache-2.0

/// The descriptors that outlive this process, and what they are.
///
/// The service manager, or the keeper in its place, stores a copy of each descriptor under a name. A folder has a small
/// file of that name, the entry, which tells the next process what the descriptor leads to. The cost of a change does
/// not depend on the number of descriptors.
public struct DescriptorStore: Sendable {
    private let folder: String
    private let service: ServiceManager
    private let fileSystem: any FileSystem

    private static let ending = ".json"

    /// The store of `service`, with its entries in `folder`, which is created with the first one.
    public init(in folder: String, service: ServiceManager, fileSystem: any FileSystem = LinuxFileSystem()) {
        self.folder = folder
        self.service = service
        self.fileSystem = fileSystem
    }

    /// Stores a copy of `descriptor` with its entry, replacing those of that name: a file name of at most 245 bytes
    /// that the service manager allows.
    ///
    /// When the entry cannot be written, the next process gets a descriptor that it cannot assign.
    public func put(_ name: String, _ descriptor: Int32, _ entry: [UInt8]) {
        note(name, entry)
        service.store(descriptor, as: name)
    }

    /// Writes an entry without a descriptor.
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

    /// Removes a descriptor and its entry, as far as they exist.
    public func remove(_ name: String) {
        try? fileSystem.remove(folder + "/" + name + Self.ending)
        service.removeStored(name)
    }

    /// The entries by name; unreadable ones are skipped.
    public func entries() -> [(name: String, entry: [UInt8])] {
        let names = (try? fileSystem.names(in: folder)) ?? []
        return names.sorted().filter { $0.hasSuffix(Self.ending) }.compactMap { file in
            guard let entry = try? fileSystem.contents(of: folder + "/" + file) else {
                return nil
            }
            return (String(file.dropLast(Self.ending.utf8.count)), entry)
        }
    }

    /// Removes all descriptors and entries, and the folder.
    public func removeAll() {
        entries().forEach { remove($0.name) }
        try? fileSystem.removeDirectory(folder)
    }
}
