// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO

/// The daemon whose place a daemon takes: its locks do not keep that one from beginning.
struct PreviousDaemon {
    /// The socket of both.
    let socket: String

    /// Whether it is in `process`: this check was requested for that, or it listens at the same socket.
    func isIn(_ process: Int32) -> Bool {
        // The parent: a daemon of an earlier version sets no variable.
        [Environment[ReplacementCheck.variable].flatMap { Int32($0) }, getppid()].contains(process)
            || UnixSocket.listeningPaths(of: process).contains { FileAttributes.isSameFile($0, socket) }
    }

    /// The logs that virtlogd, which this check was requested for by another process, has open; empty for this program,
    /// which requests the check itself.
    var otherProgramsLogs: [String] {
        guard let process = Environment[ReplacementCheck.variable].flatMap({ Int32($0) }), process != getppid() else {
            return []
        }
        let folder = "/proc/\(process)/"
        return ProcFile.names(in: folder + "fd").filter { isLog(folder + "fdinfo/" + $0) }
            .compactMap { ProcFile.target(ofLink: folder + "fd/" + $0) }
            .filter { FileAttributes(at: $0)?.kind == .regular }.sorted()
    }

    /// Whether a descriptor is one that virtlogd opens for a log: to append, and closed on exec (`flags` in proc(5)).
    private func isLog(_ information: String) -> Bool {
        let line = ProcFile.text(information).split(separator: "\n").first { $0.hasPrefix("flags:") }
        let flags = line.flatMap { Int32($0.drop { !$0.isNumber }, radix: 8) } ?? 0
        return flags & O_APPEND != 0 && flags & O_CLOEXEC != 0
    }
}
