// SPDX-License-Identifier: Apache-2.0

import Glibc
import HTTPClient
import NIOPosix
import SystemIO

/// Syslog messages as datagrams: a Unix socket such as /dev/log, or UDP (RFC 5426).
///
/// A Unix socket whose reader is slow blocks; UDP loses without telling.
actor DatagramLink: SyslogLink {
    enum Target: Hashable, Sendable {
        case unix(String)
        case udp(NetworkPeer)
    }

    private let target: Target
    /// The thread that waits for the socket.
    private let thread = NIOThreadPool(numberOfThreads: 1)
    private var socket: DatagramSocket?

    init(_ target: Target) {
        self.target = target
        thread.start()
    }

    func send(_ items: [Int], of batch: OutputBatch) async -> SendResult {
        do {
            let socket = try await open()
            let result = try await thread.runIfActive { socket.send(items, of: batch) }
            if let failure = result.failure {
                close(socket)
                if result.sent.isEmpty {
                    return .unavailable("\(failure)")
                }
            }
            let rest = items.count - result.sent.count
            return .items(
                result.sent + Array(repeating: .retry("\(result.failure.map { "\($0)" } ?? "")"), count: rest)
            )
        } catch {
            return .unavailable("\(error)")
        }
    }

    private func open() async throws -> DatagramSocket {
        if let socket {
            return socket
        }
        let target = target
        let fresh = try await thread.runIfActive { try DatagramSocket(target) }
        socket = fresh
        return fresh
    }

    private func close(_ used: DatagramSocket) {
        if socket === used {
            socket = nil
        }
    }

    func close() async {
        socket = nil
        thread.shutdownGracefully { _ in }
    }
}

/// A connected datagram socket. Used by one thread at a time.
private final class DatagramSocket: Sendable {
    private let descriptor: Descriptor
    private let name: String

    /// How long a full socket is waited for, in milliseconds.
    private static let timeout: Int32 = 5000

    init(_ target: DatagramLink.Target) throws {
        switch target {
        case .unix(let path):
            name = path
            descriptor = try UnixSocket.connectDatagrams(to: path)
        case .udp(let peer):
            name = "udp://\(peer)"
            guard case .network(let host, let port) = peer else {
                throw SystemError("connect", name, code: EINVAL)
            }
            descriptor = try Self.connect(host, port, name)
        }
    }

    private static func connect(_ host: String, _ port: UInt16, _ name: String) throws -> Descriptor {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_DGRAM.rawValue)
        hints.ai_flags = AI_NUMERICSERV
        var found: UnsafeMutablePointer<addrinfo>?
        let result = getaddrinfo(host, String(port), &hints, &found)
        guard result == 0, let first = found else {
            throw SystemError("look up", name, code: ENOENT, reason: String(cString: gai_strerror(result)))
        }
        defer { freeaddrinfo(found) }
        let info = first.pointee
        let type = info.ai_socktype | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let descriptor = Descriptor(owning: try systemCall("socket") { Glibc.socket(info.ai_family, type, 0) })
        let raw = descriptor.raw
        try systemCall("connect", name) { Glibc.connect(raw, info.ai_addr, info.ai_addrlen) }
        return descriptor
    }

    /// Sends items in order until one fails; the results of those before.
    func send(_ items: [Int], of batch: OutputBatch) -> (sent: [ItemResult], failure: SystemError?) {
        var sent: [ItemResult] = []
        sent.reserveCapacity(items.count)
        for item in items {
            do throws(SystemError) {
                try batch.bytes.span.withUnsafeBytes { bytes throws(SystemError) in
                    try send(UnsafeRawBufferPointer(rebasing: bytes[batch.items[item].range]))
                }
                sent.append(.delivered)
            } catch {
                guard error.code == EMSGSIZE else {
                    return (sent, error)
                }
                let size = batch.items[item].range.count
                sent.append(.refused("\(size) bytes are more than \(name) takes in one message"))
            }
        }
        return (sent, nil)
    }

    private func send(_ bytes: UnsafeRawBufferPointer) throws(SystemError) {
        let raw = descriptor.raw
        while true {
            do throws(SystemError) {
                try systemCall("send", name) {
                    Glibc.send(raw, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
                }
                return
            } catch {
                guard error.code == EAGAIN || error.code == ENOBUFS else {
                    throw error
                }
                var waited = pollfd(raw, POLLOUT)
                guard try systemCall("poll", name, { poll(&waited, 1, Self.timeout) }) > 0 else {
                    throw SystemError("send", name, code: EAGAIN, reason: "its reader does not read")
                }
            }
        }
    }
}
