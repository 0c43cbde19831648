// SPDX-License-Identifier: Apache-2.0

// virt-tail: writes what a rotated console log has, and gets, to standard output.
//
// The container `guest-console-log` of a KubeVirt pod runs it. Begin with `TailRun`, the loop; `TailState` decides
// when it ends, `LineSplitter` and `LineFormat` make lines of bytes, where lines are wanted.

import Glibc
import LogModel
import SystemIO

/// The program.
@main
enum VirtTail {

    static func main() {
        StandardStreams.reserve()
        exit(run(Array(CommandLine.arguments.dropFirst())))
    }

    /// Runs the program; returns its exit status.
    private static func run(_ arguments: [String]) -> Int32 {
        let parsed = TailOptions.parse(
            arguments,
            verbosity: Environment[TailOptions.verbosityVariable]
        )
        let messages = Diagnostics(name: "virt-tail", threshold: parsed.options.threshold)
        defer { messages.flush() }
        switch parsed.request {
        case .help:
            return print(TailOptions.help)
        case .version:
            return print("virt-tail \(ProgramVersion.current)\n")
        case .follow:
            break
        }
        parsed.warnings.forEach { messages.log(.warning, $0) }
        guard !parsed.options.logFile.isEmpty else {
            messages.log(.error, "--logfile is missing: give the path of the console's log, as --logfile PATH")
            return 2
        }
        do throws(SystemError) {
            // A reader that goes away is noticed by write(2) and poll(2), and a limit of file size by write(2).
            WriteSignals.ignore()
            let signals = try SignalQueue([SIGTERM, SIGINT])
            let run = try TailRun(parsed.options, signals, messages)
            run.run()
            return 0
        } catch {
            messages.log(.error, "\(error)")
            return 1
        }
    }

    private static func print(_ text: String) -> Int32 {
        let bytes = Array(text.utf8)
        return write(STDOUT_FILENO, bytes, bytes.count) == bytes.count ? 0 : 1
    }
}
