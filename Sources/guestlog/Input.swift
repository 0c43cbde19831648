// SPDX-License-Identifier: Apache-2.0

import LogModel

/// Standard input, and files that are named on the command line.
enum Input {
    /// All of standard input.
    static func standardInput() -> [UInt8] {
        (try? OpenFile(reading: "-").contents()) ?? []
    }

    /// The JSON in `file`, or in standard input with nil. Throws `CommandLineError` when there is none.
    static func json(_ file: String?) throws -> JSON {
        let input = try OpenFile(reading: file ?? "-")
        let bytes = try input.contents()
        do {
            return try JSON(parsing: bytes)
        } catch {
            throw CommandLineError(description: "\(Terminal.safe(input.path)): \(error)")
        }
    }
}
