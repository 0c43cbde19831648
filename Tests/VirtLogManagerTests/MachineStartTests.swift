// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import LogStore
import TestSupport
import TestTraits
import Testing

@testable import VirtLogManager

/// The boundary at the beginning of a console's log.
@Suite(.blocking) struct MachineStartTests {
    private static let heading = "2026-11-30 15:46:10.123+0000: starting up libvirt version: 9.0.0, kernel: 6.1\n"
    private static let command = "LC_ALL=C \\\n/usr/bin/qemu-system-x86_64 \\\n-name guest=tiny \\\n"

    private func says(_ text: String, to pipe: Int32) {
        #expect(write(pipe, text, text.utf8.count) == text.utf8.count)
    }

    /// Whether `text` is a complete command line, and of a machine that continues.
    private func scan(_ text: String) -> (isComplete: Bool, isContinued: Bool) {
        var line = QEMUCommandLine()
        // In the smallest pieces.
        for byte in text.utf8 {
            withUnsafeBytes(of: byte) { line.append($0) }
        }
        return (line.isComplete, line.isContinued)
    }

    @Test(
        "a command line that continues a machine is recognized",
        arguments: [
            (command + "-incoming defer \\\n-msg timestamp=on\n", true),
            (command + "-incoming fd:20\n", true),
            (command + "-loadvm snap1 \\\n-msg timestamp=on\n", true),
            (command + "-msg timestamp=on\n", false),
            (command + "-append 'a -incoming b' \\\n-msg timestamp=on\n", false),
            (command + "-append 'it'\\''s -incoming x' \\\n-msg timestamp=on\n", false),
            (command + "-msg timestamp=on\nqemu: -incoming x\n", false),
            ("/usr/bin/qemu-system-x86_64 -name guest=tiny -incoming defer -msg timestamp=on\n", true),
        ]
    )
    func commandLines(text: String, isContinued: Bool) {
        let found = scan("Domain id=1 is tainted: custom-argv\n" + Self.heading + text)
        #expect(found.isComplete)
        #expect(found.isContinued == isContinued)
    }

    @Test("a command line is complete at its end only, and without the heading there is none")
    func incomplete() {
        #expect(!scan(Self.heading + Self.command).isComplete)
        #expect(!scan(Self.command + "-incoming defer\n").isComplete)
    }

    @Test(
        "a machine that continues from a saved state begins no boot; one that starts does, before its first output",
        arguments: [true, false]
    )
    func boots(isContinued: Bool) throws {
        let host = try LogHost()
        let client = try RawClient(host)
        mkdir(host.path + "/qemu", 0o700)
        let console = try #require(client.open(host.path + "/a.log"))
        let messages = try #require(client.open(host.path + "/qemu/tiny.log"))
        let option = isContinued ? "-incoming defer\n" : "-msg timestamp=on\n"
        says(Self.heading + Self.command + option, to: messages.pipe)
        says("hello\n", to: console.pipe)
        close(console.pipe)
        #expect(try eventually { try host.stored("console0").boots.last?.event == .closed })
        let stored = try host.stored("console0")
        #expect(stored.bytes == Array("hello\n".utf8))
        #expect(stored.boots.map(\.event) == (isContinued ? [.closed] : [.powerOn, .closed]))
        #expect(stored.gaps.isEmpty)
        close(messages.pipe)
    }

    @Test("a console that is silent has its boot as soon as QEMU's command line is known")
    func silent() throws {
        let host = try LogHost()
        let client = try RawClient(host)
        mkdir(host.path + "/qemu", 0o700)
        let console = try #require(client.open(host.path + "/a.log"))
        let messages = try #require(client.open(host.path + "/qemu/tiny.log"))
        says(Self.heading + Self.command + "-msg timestamp=on\n", to: messages.pipe)
        #expect(try eventually { try host.stored("console0").boots.map(\.event) == [.powerOn] })
        close(console.pipe)
        close(messages.pipe)
    }
}
