// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import SystemIO

/// Standard input, and files that are named on the command line.
enum Input {
    /// All of standard input.
    static func standardInput() -> [UInt8] {
        (try? OpenFile(reading: "-").contents()) ?? []
    }

    /// The JSON in `file`, or in standard input with nil. Throws `CommandLineError` when there is none.
    static func json(_ file: String?) throws -> JSON {
        let name = file.map(Terminal.safe) ?? "standard input"
        do {
            return try JSON(parsing: OpenFile(reading: file ?? "-").contents())
        } catch let error as SystemError {
            throw CommandLineError(description: "\(name): \(String(cString: strerror(error.code)))")
        } catch {
            throw CommandLineError(description: "\(name): \(error)")
        }
    }
}
