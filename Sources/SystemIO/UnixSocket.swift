// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

/// The peer of a Unix socket (SO_PEERCRED), as it was when it connected.
public struct PeerCredentials: Hashable, Sendable {
    public var process: Int32
    public var user: UInt32
    public var group: UInt32

    public init(process: Int32, user: UInt32, group: UInt32) {
        self.process = process
        self.user = user
        self.group = group
    }

    /// The peer for log messages; it is not always known.
    public static func description(of peer: PeerCredentials?) -> String {
        peer.map { "user \($0.user) (process \($0.process))" } ?? "an unknown process"
    }
}

/// Unix stream sockets: connecting, listening, identifying peers.
public enum UnixSocket {
    /// Connects to the socket at `path`; the descriptor does not block.
    ///
    /// Fails at once when the listener's backlog is full (EAGAIN).
    public static func connect(to path: String) throws(SystemError) -> Descriptor {
        let socket = try make()
        let target = socket.raw
        try withAddress(path, "connect") { address, length in
            Glibc.connect(target, address, length)
        }
        return socket
    }

    /// Listens at `path` with permissions `mode`, replacing a dead socket there.
    ///
    /// EADDRINUSE: another process listens there.
    public static func listen(at path: String, mode: UInt32 = 0o660, backlog: Int32 = 128) throws(SystemError)
        -> Descriptor
    {
        if let found = FileAttributes(at: path) {
            guard found.kind == .socket else {
                throw SystemError("listen", path, code: EEXIST)
            }
            try refuseListener(at: path)
            _ = unlink(path)
        }
        let socket = try make()
        let target = socket.raw
        // The socket must never have more permissions than `mode`, not even for a moment.
        _ = fchmod(target, mode)
        try FileOwner.create(at: path) { () throws(SystemError) in
            try withAddress(path, "bind") { address, length in
                bind(target, address, length)
            }
        }
        try systemCall("listen", path) { Glibc.listen(target, backlog) }
        // The umask removed some of them. A file that replaced the socket meanwhile is not changed.
        let bound = try PathHandle(path, trusted: DirectoryHandle.split(path).directory)
        guard bound.attributes.kind == .socket else {
            throw SystemError("listen", path, code: EEXIST)
        }
        try bound.setMode(mode)
        return socket
    }

    /// A socket at `path` for datagrams from this user's processes only, replacing one that is there; it does not
    /// block.
    public static func datagrams(at path: String) throws(SystemError) -> Descriptor {
        _ = unlink(path)
        let socket = Descriptor(owning: try systemCall("socket") { gl_datagram_socket() })
        try socket.setNonBlocking()
        let target = socket.raw
        _ = fchmod(target, 0o600)
        try withAddress(path, "bind") { address, length in bind(target, address, length) }
        return socket
    }

    /// Whether a process receives datagrams at `path`.
    public static func acceptsDatagrams(at path: String) -> Bool {
        guard let raw = try? systemCall("socket", "", { gl_datagram_socket() }) else {
            return false
        }
        let socket = Descriptor(owning: raw)
        let target = socket.raw
        return (try? withAddress(path, "connect") { address, length in Glibc.connect(target, address, length) }) != nil
    }

    /// A socket that sends datagrams to the one at `path`, such as /dev/log; it does not block.
    public static func connectDatagrams(to path: String) throws(SystemError) -> Descriptor {
        let socket = Descriptor(owning: try systemCall("socket") { gl_datagram_socket() })
        try socket.setNonBlocking()
        try connect(datagrams: socket.raw, to: path)
        return socket
    }

    /// Has a socket for datagrams, connected or not, send them to the one at `path`.
    static func connect(datagrams socket: Int32, to path: String) throws(SystemError) {
        try withAddress(path, "connect") { address, length in Glibc.connect(socket, address, length) }
    }

    /// Whether a descriptor is a Unix socket for datagrams.
    static func isForDatagrams(_ descriptor: Int32) -> Bool {
        func has(_ option: Int32, _ expected: Int32) -> Bool {
            var value: Int32 = 0
            var length = socklen_t(MemoryLayout<Int32>.size)
            return getsockopt(descriptor, SOL_SOCKET, option, &value, &length) == 0 && value == expected
        }
        return has(SO_DOMAIN, AF_UNIX) && has(SO_TYPE, Int32(SOCK_DGRAM.rawValue))
    }

    /// The path to which a socket is bound; nil when it is of another family, or has none.
    public static func path(of socket: Int32) -> String? {
        var address = sockaddr_un()
        var length = socklen_t(MemoryLayout<sockaddr_un>.size)
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(socket, $0, &length) }
        }
        guard result == 0, address.sun_family == sa_family_t(AF_UNIX) else {
            return nil
        }
        let path = withUnsafeBytes(of: &address.sun_path) { bytes in
            String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        return path.isEmpty ? nil : path
    }

    /// As `listen(at:)`. Links are followed in `trusted`, a prefix of the path, and refused below it; nil: everywhere.
    public static func listen(at path: String, trusted: String?) throws(SystemError) -> Descriptor {
        guard let trusted else {
            return try listen(at: path)
        }
        let (folder, name) = DirectoryHandle.split(path)
        let directory = try DirectoryHandle(folder, trusted: trusted)
        do throws(SystemError) {
            return try listen(at: directory.procPath + "/" + name)
        } catch {
            throw error.of(path)
        }
    }

    /// Throws EADDRINUSE unless it is certain that no process listens at `path` any more.
    private static func refuseListener(at path: String) throws(SystemError) {
        var reason: String?
        do throws(SystemError) {
            _ = try connect(to: path)
        } catch  where error.code == ECONNREFUSED {
            return
        } catch  where error.code == EACCES {
            reason = "this user may not connect to the socket there; if no process listens at it, remove the file"
        } catch {}
        throw SystemError("listen", path, code: EADDRINUSE, reason: reason)
    }

    /// The next pending connection, or nil when there is none; it does not block.
    public static func accept(_ listener: Int32) throws(SystemError) -> Descriptor? {
        do {
            return Descriptor(owning: try systemCall("accept") { gl_accept(listener) })
        } catch {
            if error.code == EAGAIN || error.code == ECONNABORTED {
                return nil
            }
            throw error
        }
    }

    public static func peer(of socket: Int32) throws(SystemError) -> PeerCredentials {
        var peer = PeerCredentials(process: 0, user: 0, group: 0)
        try systemCall("getsockopt") { gl_peer_credentials(socket, &peer.process, &peer.user, &peer.group) }
        return peer
    }

    private static func make() throws(SystemError) -> Descriptor {
        Descriptor(owning: try systemCall("socket") { gl_stream_socket() })
    }

    /// A path longer than `sun_path` (107 bytes) is accessed through its folder's descriptor in /proc/self/fd.
    private static func withAddress(
        _ path: String,
        _ operation: String,
        _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) throws(SystemError) {
        var address = sockaddr_un()
        let room = MemoryLayout.size(ofValue: address.sun_path)
        guard path.utf8.count >= room else {
            address.fill(with: path)
            try call(&address, operation, path, body)
            return
        }
        let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) ?? path.utf8.startIndex
        let folder = String(path.utf8[..<slash]) ?? "."
        let folderDescriptor = Descriptor(
            owning: try systemCall("open", folder) { gl_open(folder, O_DIRECTORY | O_CLOEXEC, 0) }
        )
        let name = String(path.utf8[path.utf8.index(after: slash)...]) ?? ""
        let short = "/proc/self/fd/\(folderDescriptor.raw)/\(name)"
        guard short.utf8.count < room else {
            throw SystemError(operation, path, code: ENAMETOOLONG)
        }
        address.fill(with: short)
        try call(&address, operation, path, body)
    }

    private static func call(
        _ address: inout sockaddr_un,
        _ operation: String,
        _ path: String,
        _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) throws(SystemError) {
        let length = socklen_t(MemoryLayout<sockaddr_un>.size)
        try systemCall(operation, path) {
            withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) }
            }
        }
    }
}

extension sockaddr_un {
    fileprivate mutating func fill(with path: String) {
        sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &sun_path) { buffer in
            buffer.copyBytes(from: path.utf8)
        }
    }
}
