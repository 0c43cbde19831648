// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO

// guestlog-bench: what Guestlog costs, measured.
//
//     guestlog-bench rows                     the rows there are
//     guestlog-bench run [--runs N] ROW…      runs them, each run in a process of its own, and prints table rows
//     guestlog-bench once ROW                 one run: lines of `name TAB unit TAB value`
//     guestlog-bench play ROLE …              the other end of a row: senders, processes that are to be killed
//
// A `Row` prepares and measures; `Corpus` makes the text, from fixed seeds; `StoreMaker` makes stores of it;
// `ChildProcess`, `ProcessUsage` are how others are started and watched. GUESTLOG names the program that is measured,
// GUESTLOG_BENCH_DIR the folder (on a disk) for what is made; GUESTLOG_BENCH_BYTES makes the ingest rows shorter, for
// a profiler.

/// The program.
@main
enum GuestlogBench {
    static func main() {
        signal(SIGPIPE, SIG_IGN)
        var arguments = CommandLine.arguments.dropFirst()
        do {
            switch arguments.popFirst() {
            case "rows":
                Row.all.forEach { print($0.name) }
            case "run":
                try run(&arguments)
            case "once":
                guard let row = Row.all.first(where: { $0.name == arguments.first }) else {
                    throw BenchError("no such row: \(arguments.first ?? "")")
                }
                try row.measure().forEach { print("\($0.name)\t\($0.unit)\t\($0.value)") }
            case "play":
                try Role.play(arguments)
            default:
                throw BenchError("usage: guestlog-bench rows | run [--runs N] ROW… | once ROW")
            }
        } catch {
            complain("\(error)")
            exit(1)
        }
    }

    private static func run(_ arguments: inout ArraySlice<String>) throws {
        var runs: Int?
        if arguments.first == "--runs" {
            arguments.removeFirst()
            runs = arguments.popFirst().flatMap { Int($0) }
        }
        let rows = arguments.isEmpty ? Row.all : try arguments.map(Row.named)
        print(Report.head, terminator: "")
        for row in rows {
            var report = Report(row: row)
            for number in 1...(runs ?? row.runs) {
                complain("\(row.name): run \(number) of \(runs ?? row.runs), load \(Machine.load)")
                let child = try ChildProcess.own(["once", row.name], capturesOutput: true)
                let output = try child.outputToEnd()
                guard child.wait() == 0 else {
                    complain("\(row.name): not measured")
                    break
                }
                report.add(output)
            }
            print(report.text, terminator: "")
        }
    }
}

/// What ends a benchmark.
struct BenchError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}

/// Prints a message on standard error.
func complain(_ text: String) {
    let line = Array("guestlog-bench: \(text)\n".utf8)
    _ = write(2, line, line.count)
}
