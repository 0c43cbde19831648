// SPDX-License-Identifier: Apache-2.0

public import LogModel
public import SystemIO

/// A folder with a small file for each open object, so that the cost of a change does not depend on their number, and
/// the next process finds them.
public struct EntryFolder: Sendable {
    private let path: String
    private let fileSystem: any FileSystem

    private static let ending = ".json"

    /// The folder at `path`; it is created with the first entry.
    public init(_ path: String, fileSystem: any FileSystem = LinuxFileSystem()) {
        self.path = path
        self.fileSystem = fileSystem
    }

    /// All entries, by name; unreadable ones are skipped.
    public func entries() -> [(name: String, entry: JSON)] {
        let names = (try? fileSystem.names(in: path)) ?? []
        return names.sorted().filter { $0.hasSuffix(Self.ending) }.compactMap { file in
            guard let bytes = try? fileSystem.contents(of: path + "/" + file), let entry = try? JSON(parsing: bytes)
            else {
                return nil
            }
            return (String(file.dropLast(Self.ending.utf8.count)), entry)
        }
    }

    /// Writes an entry, replacing the one of that name: a file name of at most 245 bytes.
    public func put(_ name: String, _ entry: JSON) throws(SystemError) {
        do {
            try fileSystem.replace(name + Self.ending, in: path, with: entry.bytes)
        } catch  where error.code == SystemError.notFound {
            try fileSystem.makeDirectory(path)
            try fileSystem.replace(name + Self.ending, in: path, with: entry.bytes)
        }
    }

    /// Removes an entry, if it exists.
    public func remove(_ name: String) {
        try? fileSystem.remove(path + "/" + name + Self.ending)
    }

    /// Removes all entries, and the folder.
    public func removeAll() {
        entries().forEach { remove($0.name) }
        try? fileSystem.removeDirectory(path)
    }
}
