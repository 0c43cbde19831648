// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Glibc
import LogModel
import SystemIO
import TextFormats

struct IOLog: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "iolog",
        abstract: "Write and read logs in the framing of vSphere Integrated Containers.",
        subcommands: [Exec.self, Cat.self]
    )

    struct Exec: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "exec",
            abstract: "Run a program and frame its output, each line with its time and stream.",
            discussion: """
                The entries go to standard output, or to a serial port. An unfinished line is written when the program \
                ends. Exits with the program's status; 127 when there is no such program.
                """
        )

        @Option(help: ArgumentHelp("The serial port or file to append to.", valueName: "path"), completion: .file())
        var to: String?

        @Argument(parsing: .postTerminator, help: "The program and its arguments.")
        var command: [String]

        func validate() throws {
            if command.isEmpty {
                throw ValidationError("a program is missing: guestlog iolog exec -- PROGRAM …")
            }
        }

        func run() throws {
            let target = try to.map { try OpenFile(writing: $0, O_APPEND, permissions: 0o640) }
            throw ExitCode(try Self.frame(command, to: target?.raw ?? STDOUT_FILENO))
        }

        /// Runs the command; returns its exit status, or what a shell has when it cannot be run.
        private static func frame(_ command: [String], to target: Int32) throws -> Int32 {
            do {
                return try FramedProgram.start(command).frame(to: target)
            } catch let error as SystemError where error.operation == "run" {
                Output.error("\(error)")
                return error.code == ENOENT ? 127 : 126
            }
        }
    }

    struct Cat: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "cat",
            abstract: "Print the messages of a framed log.",
            discussion: """
                Standard output's messages go to standard output, standard error's to standard error, as they are. \
                Bytes that belong to no entry are skipped and counted: exit status 4.
                """
        )

        @Argument(help: ArgumentHelp("The file; -: standard input.", valueName: "file"), completion: .file())
        var file: String

        @Option(
            name: [.customShort("S"), .long],
            help: ArgumentHelp("Begin with the first entry at this time or later.", valueName: "time")
        )
        var since: String?

        @Flag(name: .shortAndLong, help: "Put the time before each entry, with nanoseconds, in UTC.")
        var timestamps = false

        @OptionGroup var times: TimeOptions

        func run() throws {
            let start = try since.map { try Self.nanoseconds($0, times) }
            let source = try OpenFile(reading: file)
            var decoder = IOLogDecoder()
            var piece = [UInt8](repeating: 0, count: 256 << 10)
            // Once an entry is late enough, all that follow are printed: clocks can be set back.
            var hasBegun = start == nil
            var damaged = 0
            var isAtEnd = false
            while !isAtEnd {
                let bytes = try source.read(&piece)
                isAtEnd = bytes.isEmpty
                for item in isAtEnd ? decoder.finish() : decoder.add(bytes) {
                    switch item {
                    case .damage(let bytes): damaged += bytes.count
                    case .entry(let header, let message, let isCut):
                        damaged += isCut ? header.size - message.count : 0
                        hasBegun = hasBegun || header.time >= start!
                        if hasBegun {
                            try print(header, message)
                        }
                    }
                }
            }
            if damaged > 0 {
                Output.error("\(Terminal.safe(file)): \(damaged) bytes are damaged or missing")
                throw ExitCode.damageFound
            }
        }

        private func print(_ header: IOLogHeader, _ message: [UInt8]) throws {
            let stamp = timestamps ? Array((Timestamp.rfc3339(nanoseconds: header.time) + " ").utf8) : []
            try Output.write(stamp + message, to: header.isError ? STDERR_FILENO : STDOUT_FILENO)
        }

        /// The time `word`, in nanoseconds: RFC 3339 exactly, other times to the microsecond.
        private static func nanoseconds(_ word: String, _ times: TimeOptions) throws -> Int64 {
            if let exact = Array(word.utf8).withUnsafeBytes({ Timestamp.nanoseconds(rfc3339: $0) }) {
                return exact
            }
            let moment = try times.beginning("--since", word, now: presentMoment())
            return moment.nanoseconds
        }
    }
}
