// SPDX-License-Identifier: Apache-2.0

import RotatingFile
import TextFormats

// The command line. A log must never keep a VM from starting: what cannot be understood is a warning.
extension TailOptions {
    enum Request: Equatable {
        case follow, help, version
    }

    struct Parsed: Equatable {
        var options = TailOptions()
        var request = Request.follow
        var warnings: [String] = []
    }

    static let help = """
        Usage: virt-tail --logfile PATH [OPTION...]

        Writes what the console log at PATH has, and gets, to standard output, across
        rotations, until SIGTERM or SIGINT. The exit status is 0.

          --logfile PATH          the log that libvirt's log daemon writes and rotates
          --format FORMAT         raw (the default): the bytes as they are; cri, json or
                                  logfmt: lines with the times at which they were read
          --timestamps            begin each line with the time at which it was read
          --displayed             lines as a terminal displays them
          --from PLACE            without a saved position, begin with the oldest file (the
                                  default), the live file (live) or its end (end)
          --rotate-wait TIME      read a renamed file for so long before the next one: programs
                                  other than the log daemon may still write to it; default 0
          --state-dir DIR         save the position in DIR, and continue there after a restart
          --stop-on CAUSES        what ends the program, separated by commas: signal
                                  (SIGTERM), socket (the console's socket disappears), file
                                  (the termination file appears); default signal,file, and
                                  socket with --socket-timeout
          --console-socket PATH   the console's socket; by default the log without -log
          --termination-file PATH by default the log with -sigTerm-done
          --socket-timeout TIME   report a socket that is missing for so long; default 20s
          -v, --v LEVEL           own messages: 0 errors, 1 warnings, 2 notices (the
                                  default, or $VIRT_LAUNCHER_LOG_VERBOSITY), 3 and 4 more
          --help, --version

        Own messages go to standard error.

        """

    private static let flags: Set = ["timestamps", "displayed", "help", "version", "h"]

    /// Parses the arguments and the value of the environment variable.
    static func parse(_ arguments: [String], verbosity: String? = nil) -> Parsed {
        var parsed = Parsed()
        parsed.accept(verbosity: verbosity, from: "$" + verbosityVariable)
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            guard let (name, attached) = split(argument) else {
                parsed.warnings.append("'\(argument)' is ignored: it is not an option")
                continue
            }
            if flags.contains(name) {
                parsed.accept(flag: name, attached)
            } else if let apply = values[name] {
                guard let value = attached ?? rest.first.flatMap({ split($0) == nil ? $0 : nil }) else {
                    parsed.warnings.append("\(argument) is ignored: it needs a value")
                    continue
                }
                if attached == nil {
                    rest.removeFirst()
                }
                apply(&parsed, value)
            } else {
                // The value of an option that is not known belongs to it.
                if attached == nil, let next = rest.first, split(next) == nil {
                    rest.removeFirst()
                }
                parsed.warnings.append("\(argument) is ignored: it is not known; see virt-tail --help")
            }
        }
        return parsed
    }

    /// The name and the attached value of an option, as `--name=value`, `-name`, `-v3`; nil if `argument` is not an option.
    private static func split(_ argument: String) -> (name: String, value: String?)? {
        guard argument.hasPrefix("-"), argument != "-", argument != "--" else {
            return nil
        }
        let word = argument.drop { $0 == "-" }
        if let sign = word.firstIndex(of: "=") {
            return (String(word[..<sign]), String(word[word.index(after: sign)...]))
        }
        if !argument.hasPrefix("--"), word.first == "v", let level = Int(word.dropFirst()) {
            return ("v", "\(level)")
        }
        return (String(word), nil)
    }

    /// The time `word`; plain numbers are seconds.
    private static func microseconds(_ word: String) -> Int64? {
        guard let time = try? Quantities.parseDuration(Int(word) == nil ? word : word + "s") else {
            return nil
        }
        let (seconds, fraction) = time.components
        return seconds * 1_000_000 + fraction / 1_000_000_000_000
    }

    private static let values: [String: @Sendable (inout Parsed, String) -> Void] = [
        "logfile": { $0.options.logFile = $1 },
        "state-dir": { $0.options.stateFolder = $1 },
        "console-socket": { $0.options.givenSocket = $1 },
        "termination-file": { $0.options.givenTerminationFile = $1 },
        "v": { $0.accept(verbosity: $1, from: "-v") },
        "format": { parsed, word in
            if let format = Format(rawValue: word) {
                parsed.options.format = format
            } else {
                parsed.refuse("--format", word, "raw, cri, json or logfmt", used: "raw")
            }
        },
        "from": { parsed, word in
            switch word {
            case "oldest": parsed.options.start = .oldest
            case "live": parsed.options.start = .live
            case "end": parsed.options.start = .end
            default: parsed.refuse("--from", word, "oldest, live or end", used: "oldest")
            }
        },
        "rotate-wait": { parsed, word in
            if let time = microseconds(word) {
                parsed.options.rotateWait = time
            } else {
                parsed.refuse("--rotate-wait", word, "a time as 5s or 500ms", used: "0")
            }
        },
        "socket-timeout": { parsed, word in
            if let time = microseconds(word) {
                parsed.options.givenSocketTimeout = time
            } else {
                parsed.refuse("--socket-timeout", word, "a time as 20s or 1m", used: "20s")
            }
        },
        "stop-on": { parsed, word in
            let causes: [String: StopCauses] = ["signal": .signal, "socket": .socket, "file": .file]
            let words = word.split(separator: ",").map(String.init)
            if !words.isEmpty, words.allSatisfy({ causes[$0] != nil }) {
                parsed.options.givenStopCauses = words.reduce(into: StopCauses()) { $0.formUnion(causes[$1]!) }
            } else {
                parsed.refuse("--stop-on", word, "signal, socket and file, separated by commas", used: "the default")
            }
        },
    ]
}

extension TailOptions.Parsed {
    fileprivate mutating func accept(flag name: String, _ value: String?) {
        let isOn = value.map { !["false", "0"].contains($0) } ?? true
        switch name {
        case "timestamps": options.hasTimestamps = isOn
        case "displayed": options.isDisplayed = isOn
        case "version": request = .version
        default: request = .help
        }
    }

    fileprivate mutating func accept(verbosity: String?, from name: String) {
        guard let verbosity else {
            return
        }
        if let level = Int(verbosity) {
            options.verbosity = level
        } else {
            refuse(name, verbosity, "a number from 0 to 4", used: "\(options.verbosity)")
        }
    }

    fileprivate mutating func refuse(_ option: String, _ word: String, _ valid: String, used: String) {
        warnings.append("\(option): '\(word)' is not valid; write \(valid). \(used) is used")
    }
}
