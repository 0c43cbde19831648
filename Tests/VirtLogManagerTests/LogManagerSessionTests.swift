// SPDX-License-Identifier: Apache-2.0

import Libvirt
import Testing

@testable import VirtLogManager

/// The protocol of a client and the pace of a pipe, without sockets.
@Suite struct LogManagerSessionTests {
    private static let path = "/var/log/vm.log"

    private func message(
        _ procedure: Int32,
        serial: UInt32 = 0,
        program: UInt32 = LogManagerCall.program,
        kind: MessageHeader.Kind = .call,
        _ encode: (inout XDRWriter) -> Void = { _ in }
    ) -> [UInt8] {
        var writer = XDRWriter()
        encode(&writer)
        let header = MessageHeader(
            program: program,
            version: MessageHeader.version,
            procedure: procedure,
            kind: kind.rawValue,
            serial: serial,
            status: 0
        )
        return header.message(writer.bytes)
    }

    private func position(serial: UInt32) -> [UInt8] {
        message(2, serial: serial) {
            $0.put(Self.path)
            $0.put(UInt32(0))
        }
    }

    /// The serial number and the status of a reply.
    private func read(_ reply: [UInt8]) throws -> (serial: UInt32, status: UInt32) {
        var buffer = MessageBuffer()
        buffer.append(reply)
        let header = try #require(try buffer.next()).header
        return (header.serial, header.status)
    }

    @Test("a call is taken when the one before was answered, however the bytes arrive")
    func oneAtATime() throws {
        let bytes = position(serial: 1) + position(serial: 2)
        for size in [1, 7, bytes.count] {
            var session = LogManagerSession()
            var performed = 0
            var rest = bytes[...]
            while !rest.isEmpty {
                session.receive(Array(rest.prefix(size)))
                rest = rest.dropFirst(size)
                if let action = session.next() {
                    #expect(action == .perform(.position(path: Self.path)))
                    performed += 1
                }
            }
            #expect(performed == 1 && session.isBusy)
            let pieces = session.reply(.position(LogPosition(inode: 1, offset: 2)))
            #expect(try pieces.map { try read($0.bytes).serial } == [1])
            let second = session.next()
            #expect(second == .perform(.position(path: Self.path)))
            let failed = session.reply(.failed(.internal("no")))
            #expect(try failed.map { try read($0.bytes) }.first! == (2, MessageHeader.Status.error.rawValue))
            let (last, none) = (session.next(), session.reply(.appended))
            #expect(last == nil && none.isEmpty)
        }
    }

    @Test("an opened log's descriptor follows the reply, with one byte of its own")
    func descriptor() throws {
        var session = LogManagerSession()
        session.receive(
            message(1) {
                $0.put("QEMU")
                $0.put(opaque: [UInt8](repeating: 7, count: 16))
                $0.put("web")
                $0.put(Self.path)
                $0.put(UInt32(0))
            }
        )
        guard case .perform(.open(let owner, Self.path, truncate: false))? = session.next() else {
            Issue.record("no call")
            return
        }
        #expect(owner.name == "web")
        let pieces = session.reply(.opened(LogPosition(inode: 1, offset: 2)))
        #expect(pieces.map(\.carriesDescriptor) == [false, true] && pieces.last?.bytes == [0])
    }

    @Test("pings are answered, other programs and procedures refused, and a wrong length ends the connection")
    func others() throws {
        var session = LogManagerSession()
        // Not valid for a server, and ignored, as by libvirt.
        session.receive(message(1, kind: .reply))
        session.receive(message(MessageHeader.ping, program: MessageHeader.keepAlive, kind: .message))
        session.receive(message(99, serial: 7))
        session.receive(message(1, serial: 8, program: 5))
        var sent: [[UInt8]] = []
        while case .send(let bytes)? = session.next() {
            sent.append(bytes)
        }
        #expect(sent.count == 3 && !session.isBusy)
        #expect(try sent.dropFirst().map { try read($0).serial } == [7, 8])
        #expect(try sent.dropFirst().allSatisfy { try read($0).status == MessageHeader.Status.error.rawValue })
        session.receive([0, 0, 0, 1])
        let action = session.next()
        #expect(action == .close)
    }

    @Test("a full ring is waited for while it is emptied, and not when it is blocked")
    func pace() {
        var pacing = PipePacing()
        func pauses(_ progress: UInt64) -> Int {
            (0..<1000).first { _ in pacing.mayRead(hasRoom: false, progress: progress) } ?? 1000
        }
        let first = pacing.mayRead(hasRoom: true, progress: 0)
        #expect(first)
        #expect(pauses(1) == PipePacing.pauseLimit - 1)
        // It stays blocked until it is emptied further.
        #expect(pauses(1) == 0)
        #expect(pauses(2) == PipePacing.pauseLimit - 1)
    }
}
