// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO
import TestSupport
import Testing

/// A guest's end of a console without a guest: listens as QEMU's `socket,server=on,wait=off` does.
final class Chardev {
    private let listener: Descriptor
    private var connection: Int32 = -1
    /// All input that it received.
    private(set) var typed: [UInt8] = []

    init(_ path: String) throws {
        listener = try UnixSocket.listen(at: path)
    }

    deinit {
        hangUp()
    }

    func hangUp() {
        if connection >= 0 {
            close(connection)
        }
        connection = -1
    }

    func accept() throws {
        hangUp()
        #expect(
            try eventually {
                guard let accepted = try UnixSocket.accept(listener.raw) else { return false }
                connection = accepted.release()
                return true
            },
            "nobody connected"
        )
    }

    func emit(_ text: String) {
        let bytes = Array(text.utf8)
        #expect(send(connection, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count)
    }

    /// Waits until it has received `count` bytes.
    func hears(_ count: Int) -> Bool {
        eventually {
            var buffer = [UInt8](repeating: 0, count: 65536)
            let got = recv(connection, &buffer, buffer.count, Int32(MSG_DONTWAIT))
            typed += buffer.prefix(max(0, got))
            return typed.count >= count
        }
    }

    /// Waits until its input ends in `text`.
    func hears(_ text: String) -> Bool {
        eventually {
            var buffer = [UInt8](repeating: 0, count: 65536)
            let got = recv(connection, &buffer, buffer.count, Int32(MSG_DONTWAIT))
            typed += buffer.prefix(max(0, got))
            return typed.suffix(text.utf8.count).elementsEqual(text.utf8)
        }
    }
}
