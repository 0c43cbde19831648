// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import SystemIO

/// Writes lines to standard output, which may be a pipe whose reader pauses for any time.
///
/// A line of which only the beginning could be written is finished before anything else is written.
struct StandardOutput {
    /// A line, and the id of its record.
    struct Piece {
        var id: String
        var text: [UInt8]
    }

    /// The rest of a line whose beginning is written.
    private(set) var begun: Piece?
    private let descriptor: Int32
    /// How long the reader is waited for, in milliseconds.
    private let timeout: Int32

    init(_ descriptor: Int32 = STDOUT_FILENO, timeout: Int32 = 5000) {
        self.descriptor = descriptor
        self.timeout = timeout
    }

    /// Writes `pieces`; returns how many are written as a whole, and why not all are. A first piece whose beginning was
    /// written by the call before is continued there.
    mutating func write(_ pieces: [Piece]) -> (written: Int, failure: SystemError?) {
        let count = pieces.count
        var pieces = pieces
        if let begun {
            if pieces.first?.id == begun.id {
                pieces[0] = begun
            } else {
                pieces.insert(begun, at: 0)
            }
        }
        // Without the rest of a record that is not among them.
        let others = pieces.count - count
        var (done, failure) = (0, SystemError?.none)
        let text = pieces.flatMap(\.text)
        do throws(SystemError) {
            try write(text, &done)
        } catch {
            failure = error
        }
        var (written, end) = (0, 0)
        while written < pieces.count, end + pieces[written].text.count <= done {
            end += pieces[written].text.count
            written += 1
        }
        if done > end {
            begun = Piece(id: pieces[written].id, text: Array(text[done..<end + pieces[written].text.count]))
        } else if written > 0 {
            begun = nil
        }
        return (max(0, written - others), failure)
    }

    /// Writes `text`; `done` is how much of it is written, also when it throws.
    private func write(_ text: [UInt8], _ done: inout Int) throws(SystemError) {
        while done < text.count {
            var waited = pollfd(descriptor, POLLOUT)
            guard try systemCall("poll", "standard output", { poll(&waited, 1, timeout) }) > 0 else {
                throw SystemError("write", "standard output", code: EAGAIN, reason: "its reader does not read")
            }
            // A pipe takes so much at once, or nothing: a write does not block, and divides no line that is shorter.
            let rest = text[done...].prefix(Int(PIPE_BUF))
            let end = rest.lastIndex(of: Lines.feed).map { $0 + 1 } ?? rest.endIndex
            let start = done
            done += try systemCall("write", "standard output") {
                text.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress! + start, end - start) }
            }
        }
    }
}
