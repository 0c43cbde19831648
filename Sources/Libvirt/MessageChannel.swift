// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO

/// Sends and receives complete messages on a socket, up to a deadline or an interruption. Used by one thread.
///
/// Deadlines are monotonic time in microseconds.
final class MessageChannel {
    private let socket: Descriptor
    private let interruption: Interruption
    private let clock = SystemClock()
    private var buffer = MessageBuffer()

    /// Maximum size of a read.
    private static let readSize = 64 << 10

    init(_ socket: consuming Descriptor, interruption: Interruption) {
        self.socket = socket
        self.interruption = interruption
    }

    func send(_ message: [UInt8], before deadline: Int64) throws(LibvirtError.Reason) {
        var rest = message[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Glibc.send(socket.raw, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count >= 0 {
                rest.removeFirst(count)
            } else if errno == EAGAIN {
                guard try wait(for: POLLOUT, before: deadline) else {
                    throw .timedOut
                }
            } else if errno != EINTR {
                throw errno == EPIPE ? .closed : .socket(SystemError("send"))
            }
        }
    }

    /// The next message; nil when it is not received by the deadline. A message received already is returned even after
    /// the deadline.
    func receive(before deadline: Int64) throws(LibvirtError.Reason) -> Message? {
        while true {
            do throws(XDRReader.Malformed) {
                if let message = try buffer.next() {
                    return message
                }
            } catch {
                throw .malformed
            }
            guard try wait(for: POLLIN, before: deadline) else {
                return nil
            }
            try fill()
        }
    }

    private func fill() throws(LibvirtError.Reason) {
        var count = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: Self.readSize) { bytes, size in
            count = read(socket.raw, bytes.baseAddress, bytes.count)
            size = max(0, count)
        }
        guard count != 0 else {
            throw .closed
        }
        if count < 0, errno != EAGAIN, errno != EINTR {
            throw errno == ECONNRESET ? .closed : .socket(SystemError("read"))
        }
        buffer.append(bytes)
    }

    private func wait(for events: Int32, before deadline: Int64) throws(LibvirtError.Reason) -> Bool {
        while true {
            var polled = [pollfd(socket.raw, events), pollfd(interruption.descriptor)]
            let count = Poll.wait(for: &polled, microseconds: deadline - clock.monotonicMicroseconds())
            guard polled[1].revents == 0 || count <= 0 else {
                throw .interrupted
            }
            if count > 0 {
                return true
            }
            if count == 0, clock.monotonicMicroseconds() >= deadline {
                return false
            }
        }
    }
}
