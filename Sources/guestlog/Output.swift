// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Glibc
import Query
import SystemIO

/// Standard output and error, without buffering of our own.
enum Output {
    /// The reader of standard output has closed it; that is not an error.
    struct Closed: StatusError {
        let exitCode = ExitCode.success
        var description: String { "standard output is closed" }
    }

    /// Writes all of `bytes` to standard output, or to another descriptor.
    static func write(_ bytes: UnsafeRawBufferPointer, to target: Int32 = STDOUT_FILENO) throws {
        var done = 0
        while done < bytes.count {
            let count = Glibc.write(target, bytes.baseAddress! + done, bytes.count - done)
            if count < 0 {
                if errno == EINTR {
                    continue
                }
                if errno == EAGAIN {
                    var poll = pollfd(target, POLLOUT)
                    _ = Glibc.poll(&poll, 1, -1)
                    continue
                }
                if errno == EPIPE {
                    throw Closed()
                }
                let name = target == STDOUT_FILENO ? "standard output" : "the output file"
                throw CommandLineError(file: name, "cannot be written", SystemError("write"))
            }
            done += count
        }
    }

    static func write(_ bytes: [UInt8], to target: Int32 = STDOUT_FILENO) throws {
        try bytes.withUnsafeBytes { try write($0, to: target) }
    }

    static func write(_ text: String) throws {
        try write(Array(text.utf8))
    }

    /// From now on the program ends when the reader of standard output does, also while there is nothing to write: a
    /// pipeline like `logs -f | head -1` would last until the next line. `end` ends it, and removes what it leaves first.
    static func endWithReader(_ end: @escaping @Sendable () -> Void = { _exit(0) }) {
        _ = try? WorkerThread(name: "gl-reader") {
            var output = pollfd(STDOUT_FILENO, 0)
            while poll(&output, 1, -1) < 0, errno == EINTR {}
            end()
        }
    }

    /// Writes `message` to standard error.
    static func error(_ message: String, prefix: String = "guestlog: ") {
        let line = Array((prefix + message + "\n").utf8)
        _ = line.withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }

    /// Reports that the daemon has gone away and the command reconnects.
    static func logReconnecting() {
        error("guestlog is being replaced or restarted; reconnecting")
    }

    static var isTerminal: Bool { isatty(STDOUT_FILENO) == 1 }

    /// Refuses to write raw guest bytes to a terminal; `remedy` is what to do instead.
    static func checkTerminal(_ format: OutputFormat, remedy: String = "write them to a file") throws {
        if format.isVerbatim, isTerminal {
            throw ValidationError("raw guest bytes can take over a terminal; \(remedy)")
        }
    }

    /// Whether standard output is a terminal with colours: NO_COLOR is not set, and TERM is not dumb.
    static var wantsColor: Bool {
        isTerminal && Environment["NO_COLOR"] == nil && Environment["TERM"].map { $0 != "dumb" } ?? false
    }

    /// The rows as a table; on a terminal, cut to its width.
    static func table(_ rows: [[String]]) -> String {
        Table.text(rows, width: terminalColumns)
    }

    /// The width of the terminal that standard output is; nil if it is not a terminal, or its width is unknown.
    private static var terminalColumns: Int? {
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else {
            return nil
        }
        return Int(size.ws_col)
    }

    /// A number of bytes for display, such as `1.5M`.
    static func size(_ bytes: Int64) -> String {
        let units = ["B", "K", "M", "G", "T"]
        var value = Double(bytes)
        var unit = 0
        while value >= 1024, unit < units.count - 1 {
            value /= 1024
            unit += 1
        }
        let tenths = Int(value * 10)
        return unit == 0 ? "\(bytes)" : "\(tenths / 10).\(tenths % 10)\(units[unit])"
    }
}
