public import LogModel
public import SystemIO

/// A folder with a small file for each thing that is open, so that what it costs to note one does not grow with how many
/// there are, and the process after this one finds them.
public struct EntryFolder: Sendable {
    private let path: String
    private let fileSystem: any FileSystem

    private static let ending = ".json"

    /// The folder at `path`; it is made when the first entry is.
    public init(_ path: String, fileSystem: any FileSystem = LinuxFileSystem()) {
        self.path = path
        self.fileSystem = fileSystem
    }

    /// All entries, by name; what cannot be read is none.
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

    /// Notes one, in place of what was noted under its name: a file's name of at most 245 bytes.
    public func put(_ name: String, _ entry: JSON) throws(SystemError) {
        do {
            try fileSystem.replace(name + Self.ending, in: path, with: entry.bytes)
        } catch  where error.code == SystemError.notFound {
            try fileSystem.makeDirectory(path)
            try fileSystem.replace(name + Self.ending, in: path, with: entry.bytes)
        }
    }

    /// Forgets one, if it was noted.
    public func remove(_ name: String) {
        try? fileSystem.remove(path + "/" + name + Self.ending)
    }

    /// Forgets all, and removes the folder.
    public func removeAll() {
        entries().forEach { remove($0.name) }
        try? fileSystem.removeDirectory(path)
    }
}
