import Glibc
import SystemIO
import TestSupport
import Testing

/// A guest's end of a console without a guest: listens as QEMU's `socket,server=on,wait=off` does.
final class Chardev {
    private let listener: Descriptor
    private var connection: Int32 = -1
    /// All that was typed to it.
    private(set) var typed: [UInt8] = []

    init(_ path: String) throws {
        listener = try UnixSocket.listen(at: path)
    }

    deinit {
        hangUp()
    }

    /// Closes the connection.
    func hangUp() {
        if connection >= 0 {
            close(connection)
        }
        connection = -1
    }

    /// Waits for the next connection.
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

    /// Waits until it has been typed `count` bytes.
    func hears(_ count: Int) -> Bool {
        eventually {
            var buffer = [UInt8](repeating: 0, count: 65536)
            let got = recv(connection, &buffer, buffer.count, Int32(MSG_DONTWAIT))
            typed += buffer.prefix(max(0, got))
            return typed.count >= count
        }
    }

    /// Waits until it has been typed `text`, at the end.
    func hears(_ text: String) -> Bool {
        eventually {
            var buffer = [UInt8](repeating: 0, count: 65536)
            let got = recv(connection, &buffer, buffer.count, Int32(MSG_DONTWAIT))
            typed += buffer.prefix(max(0, got))
            return typed.suffix(text.utf8.count).elementsEqual(text.utf8)
        }
    }
}
