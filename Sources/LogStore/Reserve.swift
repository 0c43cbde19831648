// SPDX-License-Identifier: Apache-2.0

import SystemIO

/// Disk space that is allocated while there is enough and released when the disk is full: so that losses can still be
/// recorded, and compression can continue to free space.
public final class Reserve {
    /// 16 MiB: room for several hundred thousand markers, or for sealing fifty pairs.
    public static let defaultSize = 16 << 20

    private let root: String
    private let path: String
    private let size: Int
    private let fileSystem: any FileSystem
    /// Whether the space is allocated.
    public private(set) var isHeld = false

    /// The reserve of the store in `root`; nothing is allocated until `acquire()`.
    public init(root: String, size: Int = Reserve.defaultSize, fileSystem: any FileSystem) {
        self.root = root
        path = Self.path(in: root)
        self.size = size
        self.fileSystem = fileSystem
    }

    static func path(in root: String) -> String { root + "/reserve" }

    /// Allocates the space, unless an earlier process has. Returns false unless the disk had twice as much: else it would
    /// be full again at the next write.
    public func acquire() -> Bool {
        if fileSystem.status(path)?.size ?? 0 >= size {
            isHeld = true
            return true
        }
        if let space = fileSystem.space(at: root), !isHeld, space.free < 2 * size {
            return false
        }
        do throws(SystemError) {
            let file = try StoredFile(path, .create, on: fileSystem)
            try file.allocate(size)
            isHeld = true
        } catch {
            // A part of it may have been allocated.
            release()
        }
        return isHeld
    }

    /// Releases the space.
    public func release() {
        isHeld = false
        do throws(SystemError) {
            try StoredFile(path, .update, on: fileSystem).truncate(to: 0)
        } catch {
            // The error is ignored: the disk is as full as before.
        }
    }
}
