// SPDX-License-Identifier: Apache-2.0

import Glibc
import Synchronization
import SystemIO
import TestSupport

@testable import Libvirt

/// A fake libvirtd, which can be made to send invalid replies: it serves one client as a test specifies, and records
/// all messages it receives.
final class FakeLibvirtd: Sendable {
    /// Its reaction to a call.
    enum Answer {
        case bytes([UInt8])
        case silence
        case closing
    }

    private final class Record: Sendable {
        let messages = Mutex<[Message]>([])
    }

    /// How long a client waits for an answer: much longer than a busy machine takes, in microseconds.
    static let patience: Int64 = 180_000_000

    private let folder = TemporaryFolder()
    private let record = Record()

    var path: String { folder.path + "/sock" }
    /// The messages it received.
    var messages: [Message] { record.messages.withLock { $0 } }

    /// A fake that greets like libvirt and leaves everything else to `answer`.
    init(_ answer: @escaping @Sendable (MessageHeader) -> Answer) throws {
        let listener = try UnixSocket.listen(at: path).release()
        _ = try WorkerThread(name: "fake-libvirtd") { [record] in
            defer { close(listener) }
            var place = pollfd(fd: listener, events: Int16(POLLIN), revents: 0)
            if poll(&place, 1, 180_000) == 1, let client = try? UnixSocket.accept(listener) {
                try? client.setNonBlocking(false)
                Self.serve(client.raw, record, answer)
            }
        }
    }

    private static func serve(_ client: Int32, _ record: Record, _ answer: (MessageHeader) -> Answer) {
        var buffer = MessageBuffer()
        var bytes = [UInt8](repeating: 0, count: 65536)
        while true {
            while let message = try? buffer.next() {
                record.messages.withLock { $0.append(message) }
                guard message.header.kind == MessageHeader.Kind.call.rawValue else {
                    continue
                }
                switch answer(message.header) {
                case .bytes(let bytes): _ = send(client, bytes, bytes.count, Int32(MSG_NOSIGNAL))
                case .silence: break
                case .closing: return
                }
            }
            let count = read(client, &bytes, bytes.count)
            guard count > 0 else {
                return
            }
            buffer.append(bytes[..<count])
        }
    }

    // MARK: Replies

    /// A real libvirtd's replies to the greeting: no authentication, and two registrations.
    static func greeting(_ call: MessageHeader) -> Answer? {
        switch call.procedure {
        case 66: .bytes(reply(call, hex("00000001 00000000")))
        case 1: .bytes(reply(call))
        case 316: .bytes(reply(call, hex("00000000")))
        default: nil
        }
    }

    static func reply(_ call: MessageHeader, _ body: [UInt8] = [], isError: Bool = false) -> [UInt8] {
        call.answer(.reply, isError ? .error : .ok).message(body)
    }

    func connect(timeout: Int64 = patience) throws -> LibvirtConnection {
        try LibvirtConnection(to: path, interruption: Interruption(), timeout: timeout)
    }

    /// A connection to a fake that greets like libvirt, and leaves other calls to `answer`.
    static func connected(
        timeout: Int64 = patience,
        _ answer: @escaping @Sendable (MessageHeader) -> Answer
    ) throws -> (FakeLibvirtd, LibvirtConnection) {
        let fake = try FakeLibvirtd { greeting($0) ?? answer($0) }
        return (fake, try fake.connect(timeout: timeout))
    }
}

/// The bytes in hexadecimal digits; spaces are ignored.
func hex(_ text: String) -> [UInt8] {
    let digits = text.compactMap(\.hexDigitValue)
    return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
}
