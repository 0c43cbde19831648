// SPDX-License-Identifier: Apache-2.0

import Glibc
import Libvirt
import SystemIO

/// Asks whether a log daemon answers at a socket: a ping of libvirt's keepalive protocol.
enum LogDaemonProbe {
    /// How long one answer is awaited, in milliseconds.
    private static let limit: Int32 = 1000

    static func isAnswered(at path: String) -> Bool {
        guard let socket = try? UnixSocket.connect(to: path) else {
            return false
        }
        let ping = MessageHeader(
            program: MessageHeader.keepAlive,
            version: MessageHeader.version,
            procedure: MessageHeader.ping,
            kind: MessageHeader.Kind.message.rawValue,
            serial: 0,
            status: MessageHeader.Status.ok.rawValue
        ).message()
        guard ping.withUnsafeBytes({ send(socket.raw, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }) == ping.count
        else {
            return false
        }
        var polled = pollfd(socket.raw)
        guard poll(&polled, 1, limit) > 0 else {
            return false
        }
        let bytes = [UInt8](unsafeUninitializedCapacity: 1 << 10) { bytes, count in
            count = max(0, read(socket.raw, bytes.baseAddress, bytes.count))
        }
        var buffer = MessageBuffer()
        buffer.append(bytes)
        return (try? buffer.next())?.header.procedure == MessageHeader.pong
    }
}
