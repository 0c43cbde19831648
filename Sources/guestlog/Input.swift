// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel

/// Standard input, and files that are named on the command line.
enum Input {
    /// All of standard input.
    static func standardInput() -> [UInt8] {
        contents(of: STDIN_FILENO)
    }

    /// The JSON in `file`, or in standard input with nil. Throws `CommandLineError` when there is none.
    static func json(_ file: String?) throws -> JSON {
        let name = file.map(Terminal.safe) ?? "standard input"
        let bytes: [UInt8]
        if let file {
            let descriptor = open(file, O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else {
                throw CommandLineError(description: "\(name): \(String(cString: strerror(errno)))")
            }
            defer { close(descriptor) }
            bytes = contents(of: descriptor)
        } else {
            bytes = standardInput()
        }
        do {
            return try JSON(parsing: bytes)
        } catch {
            throw CommandLineError(description: "\(name): \(error)")
        }
    }

    private static func contents(of descriptor: Int32) -> [UInt8] {
        var text: [UInt8] = []
        while true {
            let piece = [UInt8](unsafeUninitializedCapacity: 64 << 10) { buffer, filled in
                filled = max(0, read(descriptor, buffer.baseAddress, buffer.count))
            }
            guard !piece.isEmpty else {
                return text
            }
            text += piece
        }
    }
}
