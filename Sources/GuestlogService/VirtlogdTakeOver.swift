// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogStore
import SystemIO

/// Replaces a running virtlogd by this program, or this program by virtlogd, while guests run.
///
/// On SIGUSR1 either becomes the program at the path it was started from, with all logs and the socket. So the program
/// at that path is exchanged, while virtlogd stays beside it, and the signal is sent.
public struct VirtlogdTakeOver {
    /// What is wrong and how to correct it.
    public struct Refused: Error, CustomStringConvertible {
        public let description: String
    }

    /// The result.
    public struct Outcome: Sendable {
        /// The process, the same before and after.
        public let process: Int32
        /// The number of its open logs.
        public let logs: Int
        /// The path that leads to the running program.
        public let path: String
        /// What will not work as before.
        public var warnings: [String] = []
    }

    private let processFile: String
    private let ownProgram: String

    /// The maximum time for virtlogd to become this program, in seconds.
    private let limit: Int
    /// The same for this program, which first writes what it has received: its disk may be slow.
    private var releaseLimit: Int { 6 * limit }

    /// Acts on the daemon whose process id is in `processFile`; by default the system's.
    public init(processFile: String?) throws(SystemError) {
        self.init(
            processFile: processFile ?? VirtlogdPaths(Virtlogd.Options(), runtime: "").processFile,
            ownProgram: try ProgramImage.path(),
            limit: 20
        )
    }

    init(processFile: String, ownProgram: String, limit: Int) {
        self.processFile = processFile
        self.ownProgram = ownProgram
        self.limit = limit
    }

    /// Replaces the running virtlogd, unless this program could not begin. May be repeated after it was interrupted.
    public func adopt() throws -> Outcome {
        let (process, path) = try find()
        guard program(of: process) != ownProgram else {
            throw Refused(description: "process \(process) runs Guestlog already")
        }
        let warnings = try check(process)
        let program = ExchangedProgram(path: path, ownProgram: ownProgram)
        let isServing = !UnixSocket.listeningPaths(of: process).isEmpty
        try program.exchange()
        do throws(Refused) {
            try exchange(process, within: limit, otherwise: "it does not react to SIGUSR1")
            if isServing {
                try awaitAnswer(of: process)
            }
        } catch {
            // It would become virtlogd again at its next SIGUSR1, which is requested by `release` only.
            if self.program(of: process) != ownProgram {
                try? program.revert()
            }
            throw error
        }
        return Outcome(process: process, logs: logs(of: process), path: path, warnings: warnings)
    }

    /// Restores virtlogd. May be repeated after it was interrupted.
    public func release() throws -> Outcome {
        let (process, path) = try find()
        guard program(of: process) == ownProgram else {
            throw Refused(description: "process \(process) runs \(program(of: process)), not Guestlog")
        }
        let program = ExchangedProgram(path: path, ownProgram: ownProgram)
        guard program.isKept || (!program.isOwn && access(path, X_OK) == 0) else {
            throw Refused(
                description:
                    "\(program.kept) does not exist: this daemon was not put in virtlogd's place by 'guestlog libvirt adopt'"
            )
        }
        try program.revert()
        let reason = "it is still writing output to disk, and becomes virtlogd when done"
        try exchange(process, within: releaseLimit, otherwise: reason)
        return Outcome(process: process, logs: logs(of: process), path: path)
    }

    /// The running daemon, and the path it was started from.
    private func find() throws -> (process: Int32, path: String) {
        let text = ProcFile.text(processFile)
        guard let process = Int32(text.prefix { $0.isNumber }), process > 1, kill(process, 0) == 0 else {
            throw Refused(
                description: "no log daemon runs: \(processFile) names no running process; to begin with "
                    + "Guestlog's, use 'systemctl enable --now guestlog-virtlogd'"
            )
        }
        let path = ProcFile.strings("/proc/\(process)/cmdline").first ?? ""
        guard path.hasPrefix("/"), path.split(separator: "/").last == "virtlogd" else {
            throw Refused(
                description:
                    "process \(process) was started as '\(path)': only a virtlogd started by its absolute path can be exchanged"
            )
        }
        return (process, path)
    }

    /// Throws when this program could not begin in place of `process`. Returns what will not work as before.
    private func check(_ process: Int32) throws(Refused) -> [String] {
        let command = [ownProgram, "virtlogd"] + ProcFile.strings("/proc/\(process)/cmdline").dropFirst()
        do throws(ReplacementCheck.Refused) {
            let environment = ProcFile.strings("/proc/\(process)/environ")
            return try ReplacementCheck(command: command, environment: environment, process: process).run()
        } catch {
            throw Refused(description: "this program cannot take over, and process \(process) continues: \(error)")
        }
    }

    private func program(of process: Int32) -> String {
        ProgramImage.path(of: process) ?? ""
    }

    /// Has the process become the program at its path. Throws when it does not `within` so many seconds, for the reason
    /// `otherwise`.
    private func exchange(_ process: Int32, within seconds: Int, otherwise reason: String) throws(Refused) {
        let before = program(of: process)
        kill(process, SIGUSR1)
        let isExchanged = try wait(seconds: seconds) { () throws(Refused) in
            let now = program(of: process)
            if now != before, now != "" {
                return true
            }
            try checkRuns(process, isVisible: before == "" || now != "")
            return false
        }
        guard !isExchanged else {
            return
        }
        throw Refused(description: "process \(process) still runs \(before): \(reason)")
    }

    /// Waits until the process, which has become this program, answers libvirtd. It may end before: no check sees all
    /// that a start needs.
    private func awaitAnswer(of process: Int32) throws(Refused) {
        let isAnswered = try wait(seconds: limit) { () throws(Refused) in
            if UnixSocket.listeningPaths(of: process).contains(where: LogDaemonProbe.isAnswered(at:)) {
                return true
            }
            try checkRuns(process, isVisible: program(of: process) != "")
            return false
        }
        guard !isAnswered else {
            return
        }
        throw Refused(
            description: "process \(process) runs Guestlog now, and does not answer libvirtd yet: see its messages; "
                + "'guestlog libvirt release' returns its logs to virtlogd"
        )
    }

    /// Waits until `condition` holds, at most `seconds`; whether it does.
    private func wait(seconds: Int, until condition: () throws(Refused) -> Bool) throws(Refused) -> Bool {
        let deadline = SystemClock().monotonicMicroseconds() + Int64(seconds) * 1_000_000
        while SystemClock().monotonicMicroseconds() < deadline {
            if try condition() {
                return true
            }
            WorkerThread.pause(microseconds: 10_000)
        }
        return false
    }

    /// Throws when the process has ended; then its program is not visible, before its parent has noticed too.
    private func checkRuns(_ process: Int32, isVisible: Bool) throws(Refused) {
        guard isVisible, kill(process, 0) == 0 else {
            throw Refused(
                description:
                    "process \(process) has ended, and the logs of running guests with it: see its messages, and "
                    + "restart the log daemon"
            )
        }
    }

    /// The number of pipes that the process has open: one for each log.
    private func logs(of process: Int32) -> Int {
        let folder = "/proc/\(process)/fd"
        return ProcFile.names(in: folder).count {
            ProcFile.target(ofLink: folder + "/" + $0)?.hasPrefix("pipe:") ?? false
        }
    }
}
