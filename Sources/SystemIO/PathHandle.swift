// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

/// The file at a path, held by a descriptor (O_PATH) and not opened: the file that was checked is the one that is used,
/// whatever happens to the path.
public struct PathHandle: ~Copyable, Sendable {
    public let path: String
    public let attributes: FileAttributes
    /// The directory in which it was found; nil where links are followed.
    public let directory: FileAttributes?
    private let descriptor: Descriptor

    /// The file at `path`.
    ///
    /// Links are followed in `trusted`, a prefix of the path, and refused below it with ELOOP; a link at the path
    /// itself is held as such. With nil links are followed everywhere.
    public init(_ path: String, trusted: String? = nil) throws(SystemError) {
        let (held, directory) = try Self.locate(path, trusted)
        let descriptor = Descriptor(owning: held)
        let attributes = try FileAttributes(of: held, path)
        self.descriptor = descriptor
        self.path = path
        self.attributes = attributes
        self.directory = directory
    }

    private static func locate(_ path: String, _ trusted: String?) throws(SystemError) -> (Int32, FileAttributes?) {
        guard let trusted else {
            return (try systemCall("open", path) { gl_hold_at(AT_FDCWD, path, 0) }, nil)
        }
        let (parent, name) = DirectoryHandle.split(path)
        let directory = try DirectoryHandle(parent, trusted: trusted)
        let attributes = try directory.attributes()
        return (try systemCall("open", path) { gl_hold_at(directory.descriptor.raw, name, O_NOFOLLOW) }, attributes)
    }

    /// A path to the file itself for the user's other processes, as long as this one has it.
    var sharedPath: String { "/proc/\(getpid())/fd/\(descriptor.raw)" }

    /// A path to the file itself.
    private var procPath: String { "/proc/self/fd/\(descriptor.raw)" }

    public var isPseudoTerminal: Bool { gl_is_pseudo_terminal(descriptor.raw) }

    /// The directory that it is in now, links followed; nil when that is unknown.
    public var location: FileIdentity? {
        ProcFile.target(ofLink: procPath).flatMap { FileAttributes(at: DirectoryHandle.split($0).directory)?.identity }
    }

    public func open(_ flags: Int32) throws(SystemError) -> Descriptor {
        Descriptor(owning: try systemCall("open", path) { gl_open(procPath, flags | O_CLOEXEC, 0) })
    }

    public func setMode(_ mode: UInt32) throws(SystemError) {
        try systemCall("chmod", path) { chmod(procPath, mode) }
    }

    /// Connects to it, a Unix socket; the descriptor does not block.
    public func connect() throws(SystemError) -> Descriptor {
        do throws(SystemError) {
            return try UnixSocket.connect(to: procPath)
        } catch {
            throw error.of(path, operation: "connect")
        }
    }
}
