// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

/// A TCP address and port: `127.0.0.1:8774`, `[::1]:8774`. Without host names, whose resolution may block.
public struct NetworkAddress: Hashable, Sendable, CustomStringConvertible {
    public let host: String
    /// The port; with 0 the kernel chooses one when listening.
    public let port: UInt16

    /// Parses `text`; nil when it is malformed.
    public init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            return nil
        }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            return nil
        }
        self.init(host: String(host), port: port)
    }

    /// The address `host`, in digits; nil when it is malformed.
    public init?(host: String, port: UInt16) {
        self.host = host
        self.port = port
        guard (try? withSocketAddress { _, _, _ in 0 }) != nil else {
            return nil
        }
    }

    public var description: String { (host.contains(":") ? "[\(host)]" : host) + ":\(port)" }

    public var isLoopback: Bool { host == "::1" || host.hasPrefix("127.") }

    /// The time limit for connecting, in milliseconds: consoles are on this host.
    private static let connectTimeout: Int32 = 1000

    /// When the kernel asks whether a silent other end is still there: after these seconds of silence, at this interval,
    /// and this often before the connection fails with ETIMEDOUT. A host that lost its power sends no end.
    static let keepAlive: (idle: Int32, interval: Int32, count: Int32) = (30, 10, 3)

    /// Connects; the descriptor does not block. The connection fails when the other host has been gone for a minute.
    public func connect() throws(SystemError) -> Descriptor {
        let socket = try open()
        try keepAlive(socket.raw)
        return socket
    }

    /// Has the kernel ask whether the other end of a connection is still there, or of all that a listener accepts.
    private func keepAlive(_ socket: Int32) throws(SystemError) {
        try systemCall("setsockopt", description) {
            gl_keep_alive(socket, Self.keepAlive.idle, Self.keepAlive.interval, Self.keepAlive.count)
        }
    }

    private func open() throws(SystemError) -> Descriptor {
        let subject = description
        let (raw, isPending) = try withSocketAddress { family, address, length throws(SystemError) -> (Int32, Bool) in
            let socket = try systemCall("socket") { gl_tcp_socket(family) }
            var result = Glibc.connect(socket, address, length)
            if result != 0, errno == EINPROGRESS {
                result = 1
            } else if result != 0 {
                let code = errno
                close(socket)
                throw SystemError("connect", subject, code: code)
            }
            return (socket, result == 1)
        }
        let socket = Descriptor(owning: raw)
        guard isPending else {
            return socket
        }
        var waited = pollfd(raw, POLLOUT)
        guard try systemCall("connect", subject, { poll(&waited, 1, Self.connectTimeout) }) == 1 else {
            throw SystemError("connect", subject, code: ETIMEDOUT)
        }
        var code: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        getsockopt(raw, SOL_SOCKET, SO_ERROR, &code, &size)
        guard code == 0 else {
            throw SystemError("connect", subject, code: code)
        }
        return socket
    }

    /// Listens. A connection that is accepted fails when the other host has been gone for a minute.
    public func listen(backlog: Int32 = 128) throws(SystemError) -> Descriptor {
        let subject = description
        let raw = try withSocketAddress { family, address, length throws(SystemError) -> Int32 in
            let socket = try systemCall("socket") { gl_tcp_socket(family) }
            do throws(SystemError) {
                // A previous daemon may have left closing connections.
                var on: Int32 = 1
                setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
                try keepAlive(socket)
                try systemCall("bind", subject) { bind(socket, address, length) }
                try systemCall("listen", subject) { Glibc.listen(socket, backlog) }
                return socket
            } catch {
                close(socket)
                throw error
            }
        }
        return Descriptor(owning: raw)
    }

    /// The address at which the socket `descriptor` listens; nil when it is not a TCP socket.
    public init?(boundTo descriptor: Int32) {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        var host = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        var port = [CChar](repeating: 0, count: Int(NI_MAXSERV))
        let result = withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                guard getsockname(descriptor, address, &length) == 0 else {
                    return EAI_SYSTEM
                }
                let hostSize = socklen_t(host.count)
                let portSize = socklen_t(port.count)
                return getnameinfo(
                    address,
                    length,
                    &host,
                    hostSize,
                    &port,
                    portSize,
                    NI_NUMERICHOST | NI_NUMERICSERV
                )
            }
        }
        func text(_ bytes: [CChar]) -> String {
            String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        }
        guard result == 0, let number = UInt16(text(port)) else {
            return nil
        }
        self.init(host: text(host), port: number)
    }

    private func withSocketAddress<Result>(
        _ body: (Int32, UnsafePointer<sockaddr>, socklen_t) throws(SystemError) -> Result
    ) throws(SystemError) -> Result {
        var hints = addrinfo()
        hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, String(port), &hints, &found) == 0, let first = found else {
            throw SystemError("look up", description, code: EINVAL)
        }
        defer { freeaddrinfo(found) }
        guard let address = first.pointee.ai_addr else {
            throw SystemError("look up", description, code: EINVAL)
        }
        return try body(first.pointee.ai_family, address, first.pointee.ai_addrlen)
    }
}
