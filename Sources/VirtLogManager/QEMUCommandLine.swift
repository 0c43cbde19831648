// SPDX-License-Identifier: Apache-2.0

import Capture

/// Finds QEMU's command line in what libvirtd writes to the log of QEMU's messages before it starts QEMU: a line with
/// "starting up", then the command, quoted as for a shell, on one line or on several that end with a backslash.
struct QEMUCommandLine {
    /// Whether the whole command line was seen.
    private(set) var isComplete = false
    /// Whether it has an option with which the machine continues from a saved state.
    private(set) var isContinued = false

    private static let heading = Array("starting up".utf8)
    /// Longer words and lines are cut to this size, in bytes: neither the heading nor an option is as long.
    private static let limit = 1024

    private var line: [UInt8] = []
    private var isBelowHeading = false
    private var word: [UInt8] = []
    private var isQuoted = false
    private var isEscaped = false

    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        for byte in bytes where !isComplete {
            if isBelowHeading {
                readCommand(byte)
            } else {
                readHeading(byte)
            }
        }
    }

    private mutating func readHeading(_ byte: UInt8) {
        guard byte == UInt8(ascii: "\n") else {
            if line.count < Self.limit {
                line.append(byte)
            }
            return
        }
        isBelowHeading = line.indices.contains { line[$0...].starts(with: Self.heading) }
        line = []
    }

    private mutating func readCommand(_ byte: UInt8) {
        defer { isEscaped = !isEscaped && !isQuoted && byte == UInt8(ascii: "\\") }
        switch byte {
        case UInt8(ascii: "\n") where !isQuoted:
            endWord()
            isComplete = !isEscaped
        case UInt8(ascii: " ") where !isQuoted && !isEscaped:
            endWord()
        case UInt8(ascii: "'") where !isEscaped:
            isQuoted.toggle()
        default:
            if word.count < Self.limit {
                word.append(byte)
            }
        }
    }

    private mutating func endWord() {
        isContinued = isContinued || ContinuedMachine.isIndicated(by: word)
        word = []
    }
}
