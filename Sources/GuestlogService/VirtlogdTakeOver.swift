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
    public struct Done: Sendable {
        /// The process, the same before and after.
        public let process: Int32
        /// The number of its open logs.
        public let logs: Int
        /// The path that leads to the running program.
        public let path: String
    }

    private let processFile: String
    private let ownProgram: String

    /// The suffix of virtlogd's file while this program has its place.
    private static let suffix = ".libvirt"
    /// The maximum duration of the exchange, in seconds.
    private static let exchangeTimeout = 20

    /// Acts on the daemon whose process id is in `processFile`; by default the system's.
    public init(processFile: String?) throws(SystemError) {
        self.processFile = processFile ?? VirtlogdPaths(Virtlogd.Options(), runtime: "").processFile
        ownProgram = try ProgramImage.path()
    }

    /// Replaces the running virtlogd.
    public func adopt() throws -> Done {
        let (process, path) = try find()
        guard program(of: process) != ownProgram else {
            throw Refused(description: "process \(process) runs Guestlog already")
        }
        let kept = path + Self.suffix
        unlink(kept)
        try systemCall("link", kept) { link(path, kept) }
        let fresh = path + ".new"
        unlink(fresh)
        try systemCall("symlink", fresh) { symlink(ownProgram, fresh) }
        try systemCall("rename", path) { rename(fresh, path) }
        PackageDiversion(path, to: kept).set(true)
        return try exchange(process, path) {
            PackageDiversion(path, to: kept).set(false)
            rename(kept, path)
        }
    }

    /// Restores virtlogd.
    public func release() throws -> Done {
        let (process, path) = try find()
        let kept = path + Self.suffix
        guard program(of: process) == ownProgram else {
            throw Refused(description: "process \(process) runs \(program(of: process)), not Guestlog")
        }
        guard access(kept, X_OK) == 0 else {
            throw Refused(description: "\(kept) does not exist: adopt has not replaced virtlogd by this daemon")
        }
        try systemCall("rename", path) { rename(kept, path) }
        PackageDiversion(path, to: kept).set(false)
        return try exchange(process, path) {}
    }

    /// The running daemon, and the path it was started from.
    private func find() throws -> (process: Int32, path: String) {
        let text = ProcFile.text(processFile)
        guard let process = Int32(text.prefix { $0.isNumber }), process > 1, kill(process, 0) == 0 else {
            throw Refused(description: "no log daemon runs: \(processFile) names no running process")
        }
        let words = ProcFile.text("/proc/\(process)/cmdline")
        let path = words.prefix { $0 != "\0" }
        guard path.hasPrefix("/"), path.split(separator: "/").last == "virtlogd" else {
            throw Refused(
                description:
                    "process \(process) was started as '\(path)': only a virtlogd started by its absolute path can be exchanged"
            )
        }
        return (process, String(path))
    }

    private func program(of process: Int32) -> String {
        ProgramImage.path(of: process) ?? ""
    }

    /// Has the process become the program at `path`; reverts the exchange when it does not.
    private func exchange(_ process: Int32, _ path: String, orElse undo: () -> Void) throws -> Done {
        let before = program(of: process)
        kill(process, SIGUSR1)
        for _ in 0..<(Self.exchangeTimeout * 100) {
            if program(of: process) != before, program(of: process) != "" {
                return Done(process: process, logs: logs(of: process), path: path)
            }
            guard kill(process, 0) == 0 else {
                undo()
                throw Refused(description: "process \(process) has ended: restart the log daemon")
            }
            usleep(10_000)
        }
        undo()
        throw Refused(description: "process \(process) still runs \(before): it does not react to SIGUSR1")
    }

    /// The number of pipes that the process has open: one for each log.
    private func logs(of process: Int32) -> Int {
        let folder = "/proc/\(process)/fd"
        return ProcFile.names(in: folder).count {
            ProcFile.target(ofLink: folder + "/" + $0)?.hasPrefix("pipe:") ?? false
        }
    }
}

/// A dpkg diversion, so that an upgrade of the package writes the diverted file.
private struct PackageDiversion {
    private let path: String
    private let target: String

    private static let tool = "/usr/bin/dpkg-divert"

    init(_ path: String, to target: String) {
        self.path = path
        self.target = target
    }

    /// Adds or removes the diversion. Hosts without dpkg, and files of no package, need none.
    func set(_ isDiverted: Bool) {
        guard access(Self.tool, X_OK) == 0, path.hasPrefix("/usr/") else {
            return
        }
        let words = [Self.tool, "--quiet", "--local", "--no-rename", "--divert", target]
        // Without it an upgrade of libvirt's package restores its own program; nothing else is lost.
        _ = try? ChildProgram.run(words + [isDiverted ? "--add" : "--remove", path])
    }
}
