// SPDX-License-Identifier: Apache-2.0

import Glibc
import Synchronization
import TestSupport
import TestTraits
import Testing

@testable import SystemIO

@Suite(.blocking) struct DiagnosticsTests {
    private let folder = TemporaryFolder()

    @Test("a repeated message is written once, with a count")
    func repeats() {
        let messageLog = Mutex<[String]>([])
        let diagnostics = Diagnostics { _, message in messageLog.withLock { $0.append(message) } }
        for _ in 0..<100 {
            diagnostics.log(.error, "the disk is full")
        }
        diagnostics.log(.debug, "not logged")
        #expect(messageLog.withLock { $0 } == ["the disk is full"])
    }

    @Test("changes of a state are all written: the last of them is how it is")
    func changes() {
        let messageLog = Mutex<[String]>([])
        let diagnostics = Diagnostics { _, message in messageLog.withLock { $0.append(message) } }
        for message in ["not connected", "connected", "not connected", "connected"] {
            diagnostics.logChange(.notice, message)
        }
        diagnostics.logChange(.debug, "not logged")
        #expect(messageLog.withLock { $0 } == ["not connected", "connected", "not connected", "connected"])
    }

    @Test("a name with a line feed does not begin a message of its own")
    func escapes() {
        let messageLog = Mutex<[String]>([])
        let diagnostics = Diagnostics { _, message in messageLog.withLock { $0.append(message) } }
        diagnostics.log(.error, "console a\n<0>b\u{1b}[2J\u{9b}é: gone")
        #expect(messageLog.withLock { $0 } == ["console a\\u{a}<0>b\\u{1b}[2J\\u{9b}é: gone"])
    }

    @Test("logging does not wait for a stopped reader, which later gets the number of lost messages")
    func neverBlocks() throws {
        let pipe = try Descriptor.pipe()
        let output = MessageOutput(to: pipe.second.raw)
        let capacity = 64 << 10
        let long = String(repeating: "x", count: 1000)
        for _ in 0..<2 * capacity / long.utf8.count {
            output.write(.notice, long)
        }
        var buffer = [UInt8](repeating: 0, count: 2 * capacity)
        let written = read(pipe.first.raw, &buffer, buffer.count)
        #expect(written > 0 && written <= capacity)
        output.write(.notice, "read again")
        let count = read(pipe.first.raw, &buffer, buffer.count)
        let lines = String(decoding: buffer[..<max(0, count)], as: UTF8.self).split(separator: "\n")
        #expect(lines.count == 2)
        #expect(lines.first?.contains("messages before this one were lost") == true)
        #expect(lines.last?.hasSuffix("read again") == true)
    }

    @Test("syslog gets messages with their priority, also when it begins, or begins anew, after the daemon")
    func syslog() throws {
        let path = folder.path + "/log"
        let sender = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        defer { close(sender) }
        let output = MessageOutput(to: sender, syslog: path)
        func next(_ syslog: Int32) -> String {
            var buffer = [UInt8](repeating: 0, count: 4096)
            let count = read(syslog, &buffer, buffer.count)
            return String(decoding: buffer[..<max(0, count)], as: UTF8.self)
        }
        output.write(.error, "nobody reads this")
        let first = try UnixSocket.datagrams(at: path).release()
        output.write(.error, "the disk is full")
        #expect(next(first).hasPrefix("<28>guestlog: 1 messages before this one were lost"))
        #expect(next(first) == "<27>guestlog: the disk is full\n")
        close(first)
        let second = try UnixSocket.datagrams(at: path).release()
        defer { close(second) }
        output.write(.notice, "the disk has room")
        #expect(next(second) == "<29>guestlog: the disk has room\n")
    }
}
