// SPDX-License-Identifier: Apache-2.0

import CBytes
import LogModel
import LogStore
import SystemIO

/// The file with a source's position: everything before it is committed. Written at most once a second, because each
/// stream also keeps the position of its own last record.
final class SourceMark {
    private let folder: String
    private let name: String
    private let fileSystem: any FileSystem
    private let clock: any HostClock
    private var lastWrite: Int64?

    private static let interval: Int64 = 1_000_000

    /// The mark of the source `name` of the store in `root`.
    init(_ name: String, store root: String, on fileSystem: any FileSystem, clock: any HostClock = SystemClock()) {
        folder = root + "/sources"
        self.name = Self.fileName(of: name)
        self.fileSystem = fileSystem
        self.clock = clock
    }

    /// The name of the file: the source's, encoded; of a long one the end, which tells paths apart, and a checksum.
    private static func fileName(of source: String) -> String {
        let encoded = PercentEncoding.folder.encode(source)
        guard encoded.utf8.count > longestName else {
            return encoded + ".position"
        }
        let bytes = Array(source.utf8)
        let sum = bytes.withUnsafeBytes { gl_crc32c(0, $0.baseAddress, $0.count) }
        return String(sum, radix: 16) + "-" + String(encoded.suffix(longestName - 16)) + ".position"
    }

    /// A file's name has at most 255 bytes, `.position.new` included.
    private static let longestName = 230

    /// The position; nil when there is none, or the file is damaged: reading begins anew, and every stream drops what
    /// it has.
    func read() throws(SystemError) -> ReadPosition? {
        do throws(SystemError) {
            return try fileSystem.contents(of: folder + "/" + name).flatMap { ReadPosition($0) }
        } catch  where error.isDamagedFile && !error.isTransient {
            return nil
        }
    }

    /// Writes the position, unless that was done a moment ago; returns whether it did.
    func write(_ position: ReadPosition, isUrgent: Bool = false) throws(SystemError) -> Bool {
        let now = clock.monotonicMicroseconds()
        guard isUrgent || lastWrite.map({ now - $0 >= Self.interval }) ?? true else {
            return false
        }
        if lastWrite == nil {
            try fileSystem.makeDirectories(folder)
            try fileSystem.clear(folder + "/" + name, for: .regular)
        }
        lastWrite = now
        try fileSystem.replace(name, in: folder, with: position.bytes)
        return true
    }

    /// Removes the file, if there is one.
    func remove() {
        try? fileSystem.remove(folder + "/" + name)
    }
}
