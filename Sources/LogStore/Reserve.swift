import SystemIO

/// Disk set aside while there is enough, given back when there is none: so that a full disk can still be told of, and
/// compressing can go on freeing space.
public final class Reserve {
    /// 16 MiB: room for some hundred thousand markers, or for sealing fifty pairs.
    public static let standardSize = 16 << 20

    private let root: String
    private let path: String
    private let size: Int
    private let fileSystem: any FileSystem
    /// Whether the space is set aside.
    public private(set) var isHeld = false

    /// The reserve of the store in `root`; nothing is set aside until `acquire()`.
    public init(root: String, size: Int = Reserve.standardSize, fileSystem: any FileSystem) {
        self.root = root
        path = Self.path(in: root)
        self.size = size
        self.fileSystem = fileSystem
    }

    static func path(in root: String) -> String { root + "/reserve" }

    /// Sets the space aside; whether the disk had it, and as much again: else it would be full at the next write.
    public func acquire() -> Bool {
        if let space = fileSystem.space(at: root), !isHeld, space.free < 2 * size {
            return false
        }
        do throws(SystemError) {
            let file = try StoredFile(path, .create, on: fileSystem)
            try file.allocate(size)
            isHeld = true
        } catch {
            // A part of it may have been given.
            release()
        }
        return isHeld
    }

    /// Gives the space back.
    public func release() {
        isHeld = false
        do throws(SystemError) {
            try StoredFile(path, .update, on: fileSystem).truncate(to: 0)
        } catch {
            // Then it could not be had back; the disk is as full as it was.
        }
    }
}
