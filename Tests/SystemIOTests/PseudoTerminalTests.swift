// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO
import TestSupport
import TestTraits
import Testing

@Suite(.blocking) struct PseudoTerminalTests {
    /// A program on a new pseudo-terminal, killed at the end of `body`.
    private func with(
        _ command: [String],
        _ body: (borrowing PseudoTerminal, pid_t) throws -> Void
    ) throws {
        let terminal = try PseudoTerminal()
        let child = try ChildProgram(command, .terminal(terminal.path))
        defer { kill(child.process, SIGKILL) }
        try body(terminal, child.process)
    }

    @Test(
        "a program that waits for a line is found, also behind a shell",
        arguments: ["cat", "cat; true", "read word"]
    )
    func reader(script: String) throws {
        try with(["sh", "-c", script]) { terminal, child in
            let isRead = eventually { terminal.isRead(by: child) }
            #expect(isRead)
            let end = terminal.endOfFile
            #expect(end == 4)
            let written = write(terminal.master.raw, [end ?? 0], 1)
            #expect(written == 1)
            let hasEnded = eventually { !terminal.isRead(by: child) }
            #expect(hasEnded)
        }
    }

    @Test(
        "a program that sleeps, or reads something else, does not wait for the terminal",
        arguments: ["echo x; sleep 600", "echo x; sleep 600 | cat"]
    )
    func others(script: String) throws {
        try with(["sh", "-c", script]) { terminal, child in
            var byte: UInt8 = 0
            let count = read(terminal.master.raw, &byte, 1)
            #expect(count == 1)
            let isRead = eventually(within: 0.1) { terminal.isRead(by: child) }
            #expect(!isRead)
        }
    }

    @Test("a terminal without canonical mode has no character that ends the input")
    func rawMode() throws {
        try with(["sh", "-c", "stty raw; echo x; read word"]) { terminal, _ in
            let hasNone = eventually { terminal.endOfFile == nil }
            #expect(hasNone)
        }
    }
}
