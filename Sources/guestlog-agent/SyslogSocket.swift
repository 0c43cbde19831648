// SPDX-License-Identifier: Apache-2.0

import Glibc
import GuestChannel
import LogModel
import SystemIO
import TextFormats

/// The syslog socket: receives datagrams of local programs, and makes records of them.
final class SyslogSocket: AgentSource {
    private let socket: Descriptor
    private let onRecord: (GuestRecord) -> Void
    private let zone = LocalZone.system

    /// Maximum size of a datagram; a longer one is cut, and flagged.
    private static let longest = 64 << 10
    /// Datagrams read in one turn, before the connection has its own.
    private static let perTurn = 64
    /// Memory of the kernel for datagrams that wait, in bytes.
    private static let kernelBuffer: Int32 = 1 << 20

    /// Serves `path`, or a socket that the service manager passed.
    init(at path: String, inherited: Int32?, onRecord: @escaping (GuestRecord) -> Void) throws(SystemError) {
        self.onRecord = onRecord
        if let inherited {
            socket = Descriptor(owning: inherited)
            try socket.setNonBlocking()
        } else {
            socket = try UnixSocket.datagrams(at: path)
            // Every program logs.
            try PathHandle(path, trusted: DirectoryHandle.split(path).directory).setMode(0o666)
        }
        var size = Self.kernelBuffer
        setsockopt(socket.raw, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
    }

    func begin(on loop: EventLoop) throws(SystemError) {
        _ = try loop.add(socket.raw, for: .readable, self)
    }

    func readTurn() -> Bool {
        withUnsafeTemporaryAllocation(byteCount: Self.longest, alignment: 16) { buffer in
            for _ in 0..<Self.perTurn {
                let count = recv(socket.raw, buffer.baseAddress, buffer.count, Int32(MSG_TRUNC))
                guard count >= 0 else {
                    return false
                }
                let size = min(count, buffer.count)
                let bytes = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<size])
                receive(bytes, isTruncated: count > size)
            }
            return true
        }
    }

    private func receive(_ bytes: UnsafeRawBufferPointer, isTruncated: Bool) {
        let received = Timestamp(microseconds: SystemClock().wallMicroseconds())
        let host = Self.hostname
        if let message = SyslogMessage(parsing: bytes, received: received, zone: zone, localHost: host) {
            onRecord(GuestRecord(message, received: received, isTruncated: isTruncated))
        }
    }

    /// This machine's name, which can change.
    private static var hostname: [UInt8] {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
            buffer.initialize(repeating: 0)
            gethostname(buffer.baseAddress!, buffer.count - 1)
            return buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        }
    }
}
