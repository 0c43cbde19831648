// SPDX-License-Identifier: Apache-2.0

import RotatingFile
import SystemIO

/// The program's settings.
struct TailOptions: Equatable {
    /// What ends the program, besides SIGINT and the end of its reader.
    struct StopCauses: OptionSet, Hashable {
        let rawValue: Int

        /// SIGTERM.
        static let signal = Self(rawValue: 1)
        /// The console's socket disappears: QEMU has ended.
        static let socket = Self(rawValue: 2)
        /// The termination file appears.
        static let file = Self(rawValue: 4)
    }

    enum Format: String, CaseIterable {
        case raw, cri, json, logfmt
    }

    var logFile = ""
    var format = Format.raw
    /// Whether lines have the times at which they were read.
    var hasTimestamps = false
    /// Whether lines are shown as displayed by a terminal.
    var isDisplayed = false
    var start = RotatingFileFollower.Start.oldest
    /// nil: what suits the containers that KubeVirt adds.
    var givenStopCauses: StopCauses?
    /// How long the console's socket may be missing before that is reported, in microseconds; nil: 20 s.
    var givenSocketTimeout: Int64?
    /// How long a renamed file is read on before the next one, in microseconds. The log daemon has closed it by then.
    var rotateWait: Int64 = 0
    /// nil: the log's path without `-log`.
    var givenSocket: String?
    /// nil: the log's path with `-sigTerm-done`.
    var givenTerminationFile: String?
    var stateFolder: String?
    /// Upstream's levels: 0 errors, 1 warnings, 2 notices, 3 information, 4 details.
    var verbosity = 2

    /// What ends the program. Later versions of KubeVirt run it as a native sidecar, which would be restarted. Those whose
    /// container is a plain one, which must end with QEMU, make the termination file (1.1 to 1.5), and some give a time
    /// limit for the socket.
    var stopCauses: StopCauses {
        givenStopCauses ?? (givenSocketTimeout == nil ? [.signal, .file] : [.signal, .socket, .file])
    }

    var socketTimeout: Int64 { givenSocketTimeout ?? 20_000_000 }

    /// The environment variable with the verbosity, which KubeVirt sets.
    static let verbosityVariable = "VIRT_LAUNCHER_LOG_VERBOSITY"

    var threshold: DiagnosticLevel {
        switch verbosity {
        case ..<1: .error
        case 1: .warning
        case 2: .notice
        case 3: .info
        default: .debug
        }
    }

    /// The console's socket; nil when it is not known.
    var socket: String? {
        givenSocket ?? (logFile.hasSuffix("-log") ? String(logFile.dropLast(4)) : nil)
    }

    var terminationFile: String { givenTerminationFile ?? logFile + "-sigTerm-done" }

    /// A file that KubeVirt 1.1 to 1.5 creates at the start and removes at the end.
    var runningFile: String { logFile + "-sigTerm" }

    /// Whether output is made of lines, and not a copy of the log's bytes.
    var isByLines: Bool { format != .raw || hasTimestamps || isDisplayed }
}
