// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO
import TestSupport
import Testing

/// A program on a pseudo-terminal, with a user who reads and types.
final class TerminalSession {
    private let terminal: PseudoTerminal
    private let process: pid_t
    private var status: Int32?
    /// All its output.
    private(set) var shown: [UInt8] = []
    private var read = 0

    init(_ command: [String], rows: Int = 24, columns: Int = 80) {
        do {
            terminal = try PseudoTerminal()
            terminal.setSize(TerminalSize(rows: rows, columns: columns))
            process = try ChildProgram(ChildProcess.mortal(command), .terminal(terminal.path)).process
        } catch {
            preconditionFailure("\(error)")
        }
    }

    deinit {
        if !hasEnded {
            kill(process, SIGKILL)
            _ = eventually { hasEnded }
        }
    }

    var text: String { String(decoding: shown, as: UTF8.self) }

    private func takeOutput() {
        var buffer = [UInt8](repeating: 0, count: 4096)
        var ready = pollfd(fd: terminal.master.raw, events: Int16(POLLIN), revents: 0)
        while poll(&ready, 1, 0) > 0 {
            let count = Glibc.read(terminal.master.raw, &buffer, buffer.count)
            guard count > 0 else {
                return
            }
            shown.append(contentsOf: buffer[..<count])
        }
    }

    /// Waits until it shows `text` after what was waited for before.
    func shows(_ text: String, within seconds: Double = 60) -> Bool {
        let wanted = Array(text.utf8)
        return eventually(within: seconds) {
            takeOutput()
            guard let range = shown[read...].firstRange(of: wanted) else {
                return false
            }
            read = range.upperBound
            return true
        }
    }

    func type(_ text: String) {
        let bytes = Array(text.utf8)
        #expect(write(terminal.master.raw, bytes, bytes.count) == bytes.count)
    }

    func resize(rows: Int, columns: Int) {
        terminal.setSize(TerminalSize(rows: rows, columns: columns))
    }

    private var hasEnded: Bool {
        if status == nil {
            var now: Int32 = 0
            if waitpid(process, &now, WNOHANG) == process {
                status = now
            }
        }
        return status != nil
    }

    /// Waits for its end; returns its exit status.
    func wait() -> Int32 {
        let ended = eventually {
            takeOutput()
            return hasEnded
        }
        return ended ? ((status ?? 0) >> 8) & 0xff : -1
    }
}
