// SPDX-License-Identifier: Apache-2.0

import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import Libvirt

/// The messages on the wire. The bytes are those of Debian 12's libvirtd 9.0.0, except for those marked as odd.
@Suite(.blocking) struct LibvirtConnectionTests {
    /// The domain `web` in its first run.
    private static let web = hex("00000003 77656200 0cfb9bb08cc642bab261ca6e8f6f6de9 00000001")
    private static let webUUID = "0cfb9bb0-8cc6-42ba-b261-ca6e8f6f6de9"
    private static let list = hex("00000001") + web + hex("00000001")
    /// The number of the first call after the greeting.
    private static let firstSerial: UInt32 = 5
    /// "Domain not found: no", as an error's bytes.
    private static let refusal = hex(
        """
        0000002a 0000000a 00000001 00000014 446f6d61 696e206e 6f742066 6f756e64 3a206e6f
        00000002 00000000 00000001 00000014 446f6d61 696e206e 6f742066 6f756e64 3a202573
        00000001 00000002 6e6f0000 00000000 ffffffff ffffffff 00000000
        """
    )

    private func reason<Value>(_ body: () throws -> Value) -> LibvirtError.Reason? {
        do {
            _ = try body()
            return nil
        } catch {
            return (error as? LibvirtError)?.reason
        }
    }

    private static func event(_ procedure: Int32, _ body: [UInt8]) -> [UInt8] {
        MessageHeader(program: 0x2000_8086, version: 1, procedure: procedure, kind: 2, serial: 1, status: 0)
            .message(body)
    }

    // MARK: As libvirt does

    @Test("the greeting: authentication, the driver, read-only; the events of domains")
    func greeting() throws {
        let (fake, connection) = try FakeLibvirtd.connected { _ in .silence }
        withExtendedLifetime(connection) {}
        let expected = [
            "0000001c 20008086 00000001 00000042 00000000 00000001 00000000",
            """
            00000038 20008086 00000001 00000001 00000000 00000002 00000000
            00000001 0000000e 71656d75 3a2f2f2f 73797374 656d0000 00000001
            """,
            "00000024 20008086 00000001 0000013c 00000000 00000003 00000000 00000000 00000000",
            "00000024 20008086 00000001 0000013c 00000000 00000004 00000000 00000017 00000000",
        ]
        let bodies = expected.map { text in
            var buffer = MessageBuffer()
            buffer.append(hex(text))
            return try? buffer.next()
        }
        #expect(fake.messages == bodies)
    }

    @Test("the domains, and the XML of one")
    func domains() throws {
        let (fake, connection) = try FakeLibvirtd.connected { call in
            call.procedure == 273
                ? .bytes(FakeLibvirtd.reply(call, Self.list))
                : .bytes(FakeLibvirtd.reply(call, hex("00000009 3c646f6d 61696e2f 3e000000")))
        }
        let domains = try connection.domains()
        #expect(domains.map(\.name) == ["web"])
        #expect(domains.map(\.uuid.description) == [Self.webUUID])
        #expect(domains.map(\.isRunning) == [true])
        #expect(try connection.xml(of: domains[0]) == Array("<domain/>".utf8))
        let calls = fake.messages.suffix(2)
        #expect(calls.map(\.header.procedure) == [273, 14])
        #expect(calls.map(\.body) == [XDRReader(hex("00000001 00000000")), XDRReader(Self.web + hex("00000000"))])
    }

    @Test("a lifecycle event and one of the metadata name their domain; others are ignored; a PING is answered")
    func events() throws {
        let lifecycle = Self.event(318, hex("00000000") + Self.web + hex("00000004 00000000"))
        let reboot = Self.event(319, hex("00000007") + Self.web)
        let metadata = Self.event(
            379,
            hex("00000001") + Self.web + hex("00000002 00000001 0000000b 68747470 3a2f2f78 2e792f00")
        )
        let ping = hex("0000001c 6b656570 00000001 00000001 00000002 00000000 00000000")
        let (fake, connection) = try FakeLibvirtd.connected { call in
            // All but the last before the reply, which the client waits for.
            .bytes(lifecycle + reboot + ping + FakeLibvirtd.reply(call, hex("00000000 00000000")) + metadata)
        }
        #expect(try connection.domains().isEmpty)
        let minute: Int64 = 60_000_000
        for _ in 0..<2 {
            guard case .changed(let uuid) = try connection.nextEvent(microseconds: minute) else {
                Issue.record("no event")
                return
            }
            #expect(uuid.description == Self.webUUID)
        }
        #expect(try connection.nextEvent(microseconds: 1000) == nil)
        let pong = MessageHeader(program: 0x6b65_6570, version: 1, procedure: 2, kind: 2, serial: 0, status: 0)
        #expect(eventually { fake.messages.contains { $0.header == pong } })
    }

    @Test("an error has the operation and libvirt's message; the connection continues")
    func refused() throws {
        let (_, connection) = try FakeLibvirtd.connected { call in
            let isFirst = call.serial == Self.firstSerial
            return .bytes(FakeLibvirtd.reply(call, isFirst ? Self.refusal : Self.list, isError: isFirst))
        }
        do throws(LibvirtError) {
            _ = try connection.domains()
            Issue.record("it was not refused")
        } catch {
            #expect(error.reason == .refused(code: LibvirtError.noDomain, message: "Domain not found: no"))
            #expect("\(error)" == "listing the domains: libvirt says: Domain not found: no")
        }
        #expect(try connection.domains().count == 1)
    }

    @Test("a libvirt too old for metadata events is followed without them")
    func oldLibvirt() throws {
        let fake = try FakeLibvirtd { call in
            call.procedure == 316 && call.serial == 4
                ? .bytes(FakeLibvirtd.reply(call, Self.refusal, isError: true))
                : FakeLibvirtd.greeting(call) ?? .bytes(FakeLibvirtd.reply(call, Self.list))
        }
        let connection = try fake.connect()
        #expect(try connection.domains().count == 1)
    }

    @Test("where polkit decides about access, it is asked, and its decision applies", arguments: [true, false])
    func polkit(isAllowed: Bool) throws {
        let fake = try FakeLibvirtd { call in
            switch call.procedure {
            case 66: .bytes(FakeLibvirtd.reply(call, hex("00000001 00000002")))
            case 70 where isAllowed: .bytes(FakeLibvirtd.reply(call, hex("00000001")))
            case 70: .bytes(FakeLibvirtd.reply(call, Self.refusal, isError: true))
            default: FakeLibvirtd.greeting(call) ?? .bytes(FakeLibvirtd.reply(call, Self.list))
            }
        }
        let failure = reason {
            let connection = try fake.connect()
            #expect(try connection.domains().count == 1)
        }
        let refusal = LibvirtError.Reason.refused(code: LibvirtError.noDomain, message: "Domain not found: no")
        #expect(failure == (isAllowed ? nil : refusal))
        #expect(fake.messages.map(\.header.procedure) == (isAllowed ? [66, 70, 1, 316, 316, 273] : [66, 70]))
        #expect(fake.messages[1].body == XDRReader([]))
    }

    // MARK: Odd

    @Test("a libvirt that requires a password gets no further calls")
    func authentication() throws {
        let fake = try FakeLibvirtd { .bytes(FakeLibvirtd.reply($0, hex("00000001 00000001"))) }
        #expect(reason { try fake.connect() } == .authentication)
        #expect(fake.messages.count == 1)
    }

    @Test(
        "a list with fewer elements than its length, or more than allowed, is malformed",
        arguments: [
            "", "000000", "00000001", "00000002 00000003 77656200 0cfb9bb08cc642bab261ca6e8f6f6de9 00000001",
            "00004001", "ffffffff", "00000001 ffffffff", "00000001 00400001 77656200", "00000001 00000003 776562",
            "00000001 00000003 77656200 0cfb9bb08cc642bab261ca6e8f6f6d",
        ]
    )
    func oddList(body: String) throws {
        let (_, connection) = try FakeLibvirtd.connected { .bytes(FakeLibvirtd.reply($0, hex(body))) }
        #expect(reason { try connection.domains() } == .malformed)
    }

    @Test(
        "an invalid error is malformed, and one without a message has its number",
        arguments: [("", nil), ("0000002a 0000000a 00000002", nil), ("0000002a 0000000a 00000000", "error 42")]
    )
    func oddError(body: String, message: String?) throws {
        let (_, connection) = try FakeLibvirtd.connected { .bytes(FakeLibvirtd.reply($0, hex(body), isError: true)) }
        let expected = message.map { LibvirtError.Reason.refused(code: 42, message: $0) } ?? .malformed
        #expect(reason { try connection.domains() } == expected)
    }

    @Test(
        "a message of an invalid length, or a reply to another call, ends the connection at once",
        arguments: [
            "00000000", "0000001b 20008086", "02000005 20008086", "ffffffff",
            "0000001c 20008086 00000001 0000000e 00000001 00000005 00000000",
            "0000001c 87539319 00000001 00000111 00000001 00000005 00000000",
        ]
    )
    func oddMessage(bytes: String) throws {
        let (_, connection) = try FakeLibvirtd.connected { _ in .bytes(hex(bytes)) }
        #expect(reason { try connection.domains() } == .malformed)
    }

    @Test("a reply to an abandoned call is ignored")
    func lateReply() throws {
        let (_, connection) = try FakeLibvirtd.connected { call in
            var late = call
            late.serial -= 1
            return .bytes(FakeLibvirtd.reply(late, hex("ffffffff")) + FakeLibvirtd.reply(call, Self.list))
        }
        #expect(try connection.domains().count == 1)
    }

    @Test("an event that ends too early is malformed")
    func oddEvent() throws {
        let (_, connection) = try FakeLibvirtd.connected { _ in .bytes(Self.event(318, hex("00000000 00000003"))) }
        #expect(reason { try connection.domains() } == .malformed)
    }

    @Test("undelivered events are limited: beyond that any domain may have changed")
    func manyEvents() throws {
        let event = Self.event(318, hex("00000000") + Self.web + hex("00000004 00000000"))
        let (_, connection) = try FakeLibvirtd.connected { call in
            let many = Array(repeatElement(event, count: 4097).joined())
            return .bytes(many + FakeLibvirtd.reply(call, Self.list))
        }
        #expect(try connection.domains().count == 1)
        #expect(try connection.nextEvent(microseconds: 0) == .lost)
        #expect(try connection.nextEvent(microseconds: 0) == nil)
    }

    @Test("a randomly damaged reply gives a result or an error, nothing else")
    func damage() throws {
        let seed = UInt64.random(in: 0 ... .max)
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<20_000 {
            var bytes = FakeLibvirtd.reply(
                Self.someCall,
                Bool.random(using: &generator) ? Self.list : Self.refusal
            )
            for _ in 0..<Int.random(in: 0...4, using: &generator) {
                bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            bytes.removeLast(Int.random(in: 0...8, using: &generator))
            var buffer = MessageBuffer()
            buffer.append(bytes)
            guard let message = try? buffer.next() else {
                continue
            }
            if case .refused(_, let text) = LibvirtError.Reason.refusal(message.body) {
                #expect(text.utf8.count <= 3 * bytes.count, "seed \(seed)")
            }
            var body = message.body
            if (try? body.count(limit: RemoteProtocol.maximumDomains)) != nil, let domain = try? body.domain() {
                #expect(domain.name.utf8.count <= 3 * bytes.count, "seed \(seed)")
            }
        }
    }

    // MARK: Silent

    @Test("a libvirt that closes the connection instead of answering")
    func closes() throws {
        let (_, connection) = try FakeLibvirtd.connected { call in
            call.serial == Self.firstSerial ? .bytes(FakeLibvirtd.reply(call, Self.list)) : .closing
        }
        #expect(try connection.domains().count == 1)
        #expect(reason { try connection.domains() } == .closed)
    }

    @Test("a libvirt that does not answer is waited for up to the time limit, whatever else it sends")
    func silent() throws {
        let half = Array(FakeLibvirtd.reply(Self.someCall, Self.list).prefix(20))
        for answer in [[], half, Self.event(319, [])] {
            // On a busy machine already its greeting may be late.
            let failure = reason {
                try FakeLibvirtd.connected(timeout: 1_000_000) { _ in .bytes(answer) }.1.domains()
            }
            #expect(failure == .timedOut)
        }
    }

    private static let someCall = MessageHeader(
        program: 0x2000_8086,
        version: 1,
        procedure: 273,
        kind: 0,
        serial: 5,
        status: 0
    )

    @Test("a wait for a reply, or for an event, is interrupted from another thread")
    func interrupted() throws {
        let fake = try FakeLibvirtd { FakeLibvirtd.greeting($0) ?? .silence }
        let interruption = try Interruption()
        let connection = try LibvirtConnection(to: fake.path, interruption: interruption, timeout: 600_000_000)
        let other = try WorkerThread(name: "other") {
            // The call has been made by then.
            _ = eventually { fake.messages.count == 5 }
            interruption.raise()
        }
        #expect(reason { try connection.domains() } == .interrupted)
        other.join()
        #expect(reason { try connection.nextEvent(microseconds: 600_000_000) } == .interrupted)
    }

    @Test("a missing socket, or one without a listener, is reported with its path")
    func unreachable() throws {
        let folder = TemporaryFolder()
        let path = folder.path + "/none"
        do {
            _ = try LibvirtConnection(to: path, interruption: Interruption())
            Issue.record("it connected")
        } catch {
            #expect("\(error)" == "connecting to libvirt: connect \(path): No such file or directory")
        }
    }
}
