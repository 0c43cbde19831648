// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO

/// Asks a program whether it can take the place of a running daemon, before anything of that is suspended: a program
/// that ends after the exec closes the descriptors of all guests.
struct ReplacementCheck {
    /// The option with which a daemon checks whether it could start, and ends.
    static let option = "--check-config"
    /// The variable with the id of the process that the checked program is to replace.
    static let variable = "GUESTLOG_REPLACES"

    /// The program's path, and the arguments that it will have.
    let command: [String]
    /// Its environment; nil: this process's.
    var environment: [String]?
    /// The process that it is to replace.
    var process = getpid()
    /// How long the program may take, in seconds: the watchdog of a daemon that waits for it must not expire.
    var limit = 5

    /// Why the program cannot begin.
    struct Refused: Error, CustomStringConvertible {
        let description: String
    }

    /// Throws when the program refuses to begin. A program without the option is not asked; one that does not answer,
    /// as when a disk hangs, waits in the same way as a daemon that begins.
    ///
    /// Returns the messages of one that accepts: what will not work as before.
    @discardableResult
    func run() throws(Refused) -> [String] {
        guard let help = run("--help"), help.status == 0, Self.text(help.output).contains(Self.option),
            let check = run(Self.option)
        else {
            return []
        }
        let lines = Self.text(check.errors).split(separator: "\n").map { String($0) }
        guard check.status != 0 else {
            return lines
        }
        throw Refused(
            description: lines.isEmpty
                ? "\(command[0]) \(Self.option) ended with \(check.status)" : lines.joined(separator: "; ")
        )
    }

    private func run(_ option: String) -> ChildProgram.Outcome? {
        let variables = (environment ?? Environment.all) + ["\(Self.variable)=\(process)"]
        return try? ChildProgram.run(command + [option], environment: variables, takesErrors: true, limit: limit)
    }

    private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}
