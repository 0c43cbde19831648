// SPDX-License-Identifier: Apache-2.0

public import SystemIO

/// How far an append to a rotated file has come, before a write in it.
public struct AppendProgress: Hashable, Sendable {
    /// The file that is written next, by its identity.
    public var file: FileIdentity
    /// Its size, in bytes.
    public var size: Int
    /// The number of the append's bytes that were written before.
    public var written: Int

    public init(file: FileIdentity, size: Int, written: Int) {
        self.file = file
        self.size = size
        self.written = written
    }

    /// The number of the append's bytes that are in the file at `path` or its backups, when the writer was killed after
    /// it came so far. The file can have been rotated since, once.
    public func written(in path: String) -> Int {
        for path in [path, path + ".0"] {
            if let found = FileAttributes(at: path), found.identity == file {
                return written + max(0, found.size - size)
            }
        }
        return written
    }
}
