// SPDX-License-Identifier: Apache-2.0

import Capture
import Glibc
import LogModel
import LogStore
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import ConsoleHub

/// Consoles of Telnet servers.
@Suite(.blocking) struct TelnetTests {
    private func send(_ bytes: [UInt8], to descriptor: borrowing Descriptor) {
        let count = bytes.withUnsafeBytes { write(descriptor.raw, $0.baseAddress, $0.count) }
        #expect(count == bytes.count)
    }

    private func received(_ count: Int, from descriptor: borrowing Descriptor) -> [UInt8] {
        var bytes: [UInt8] = []
        _ = eventually {
            var buffer = [UInt8](repeating: 0, count: 256)
            let got = recv(descriptor.raw, &buffer, min(buffer.count, count - bytes.count), Int32(MSG_DONTWAIT))
            bytes += buffer.prefix(max(0, got))
            return bytes.count >= count
        }
        return bytes
    }

    @Test("a Telnet server's options are answered, its text alone is stored, and what is typed is encoded")
    func telnet() throws {
        let fixture = try HubFixture()
        let chardev = try Chardev(fixture.folder.path + "/vm.sock")
        let key = StreamKey(name: "web")
        fixture.hub.add(try .init(key: key, endpoint: .connect(path: chardev.path)))
        let guest = try chardev.accept()
        send([255, 251, 1, 255, 253, 24] + Array("login: ".utf8) + [255, 255, 13, 0], to: guest)
        #expect(try eventually { try fixture.text("web").bytes == Array("login: ".utf8) + [255, 13] })
        let answer = received(6, from: guest)
        #expect(answer == [255, 253, 1, 255, 252, 24])
        #expect(fixture.messages.contains { $0.contains("is a Telnet server") })
        let pair = try Descriptor.socketPair()
        let theirs = try pair.first.duplicate()
        let isThere = fixture.hub.attach(key, theirs, as: .write, who: "me")
        #expect(isThere)
        send([97, 255, 13], to: pair.second)
        let typed = received(5, from: guest)
        #expect(typed == [97, 255, 255, 13, 0])
    }

    @Test(
        "a guest's own bytes are stored as they came",
        arguments: [[97, 255, 251, 1], [255, 65, 255, 255]] as [[UInt8]]
    )
    func noTelnet(bytes: [UInt8]) throws {
        let fixture = try HubFixture()
        let chardev = try Chardev(fixture.folder.path + "/vm.sock")
        fixture.hub.add(try .init(key: StreamKey(name: "web"), endpoint: .connect(path: chardev.path)))
        let guest = try chardev.accept()
        send(bytes, to: guest)
        #expect(try eventually { try fixture.text("web").bytes == bytes })
    }
}
