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

/// Named pipes whose writer comes and goes.
@Suite(.blocking) struct PipeTests {
    private func writer(_ path: String) -> Descriptor {
        awaitDescriptor {
            let file = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC)
            return file < 0 ? nil : Descriptor(owning: file)
        }
    }

    @Test("each writer of a named pipe is a machine: switched on with its first byte, closed with its end")
    func writers() throws {
        let fixture = try HubFixture()
        let path = fixture.folder.path + "/web.fifo"
        fixture.hub.add(try .init(key: StreamKey(name: "web"), endpoint: .fifo(path: path)))
        var text = ""
        for life in 1...3 {
            let guest = writer(path)
            #expect(fixture.hub.statuses().map(\.isConnected) == [false])
            send("life \(life)\n", to: guest)
            text += "life \(life)\n"
            #expect(try eventually { try fixture.text("web").bytes == Array(text.utf8) })
            #expect(fixture.hub.statuses().map(\.isConnected) == [true])
            _ = consume guest
            #expect(try eventually { try fixture.text("web").boots.count == 2 * life })
        }
        let boots = try fixture.text("web").boots.map(\.event)
        #expect(boots == [.powerOn, .closed, .powerOn, .closed, .powerOn, .closed])
    }

    @Test("a named pipe that is created is for the owner and the group, as sockets are, whatever the umask")
    func mode() throws {
        let fixture = try HubFixture()
        let path = fixture.folder.path + "/web.fifo"
        fixture.hub.add(try .init(key: StreamKey(name: "web"), endpoint: .fifo(path: path)))
        #expect(eventually { FileAttributes(at: path)?.permissions == 0o660 })
        // That of another program stays as it is.
        let other = fixture.folder.path + "/db.fifo"
        mkfifo(other, 0o600)
        fixture.hub.add(try .init(key: StreamKey(name: "db"), endpoint: .fifo(path: other)))
        send("text\n", to: writer(other))
        #expect(try eventually { try fixture.text("db").bytes == Array("text\n".utf8) })
        #expect(FileAttributes(at: other)?.permissions == 0o600)
    }

    @Test("what many short-lived writers write is stored completely, and none finds the pipe without a reader")
    func shortWriters() throws {
        let fixture = try HubFixture()
        let path = fixture.folder.path + "/web.fifo"
        fixture.hub.add(try .init(key: StreamKey(name: "web"), endpoint: .fifo(path: path)))
        var text = "first\n"
        send(text, to: writer(path))
        for number in 0..<200 {
            let file = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC)
            #expect(file >= 0, "writer \(number): errno \(errno)")
            guard file >= 0 else { return }
            send("writer \(number)\n", to: Descriptor(owning: file))
            text += "writer \(number)\n"
        }
        #expect(try eventually { try fixture.text("web").bytes == Array(text.utf8) })
    }

    @Test("a pipe that is replaced by another before it was written to is opened anew")
    func replaced() throws {
        let fixture = try HubFixture()
        let path = fixture.folder.path + "/web.fifo"
        fixture.hub.add(try .init(key: StreamKey(name: "web"), endpoint: .fifo(path: path)))
        send("one\n", to: writer(path))
        #expect(try eventually { try fixture.text("web").boots.count == 2 })
        mkfifo(path + ".new", 0o600)
        rename(path + ".new", path)
        send("hello\n", to: writer(path))
        #expect(try eventually { try fixture.text("web").bytes == Array("one\nhello\n".utf8) })
    }
}
