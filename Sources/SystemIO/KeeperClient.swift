// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

/// The daemon's side of `guestlog keep`. Like systemd, a keeper stores descriptors and restarts the daemon; in addition
/// it drains them while no daemon does.
///
/// Only one of the two may drain them. So a starting daemon asks the keeper to stop (`X_GUESTLOG=take`, followed by
/// sd_notify_barrier(3)), gets what the keeper has discarded, and has the thread that drains them hold the lease. When
/// the lease is free, for any reason, the keeper drains again after a while.
public final class KeeperClient: Sendable {
    private let manager: ServiceManager
    private let paths: Paths

    /// The files that the keeper shares with its daemon. They are in memory, because the runtime folder may be full.
    public struct Paths: Sendable {
        /// The path of the file with the lease.
        public let lease: String
        /// The path of the file with the discarded bytes' counts.
        public let discarded: String

        public init(lease: String, discarded: String) {
            self.lease = lease
            self.discarded = discarded
        }

        /// The value of `KeeperClient.variable`.
        public var text: String { lease + ":" + discarded }

        init?(_ text: String) {
            let parts = text.split(separator: ":")
            guard parts.count == 2 else {
                return nil
            }
            self.init(lease: String(parts[0]), discarded: String(parts[1]))
        }
    }

    /// The environment variable with the paths of the keeper's files.
    public static let variable = "GUESTLOG_KEEPER"
    /// The message by which a daemon takes over the draining.
    public static let take = "X_GUESTLOG=take"
    /// The message by which it reports that a thread holds the lease.
    public static let held = "X_GUESTLOG=held"
    /// How long the keeper may take to answer, in milliseconds.
    private static let answerLimit: Int32 = 5000

    /// The keeper that runs this process; nil: none.
    public init?(_ manager: ServiceManager) {
        guard manager.isPresent, let paths = Environment[Self.variable].flatMap(Paths.init) else {
            return nil
        }
        self.manager = manager
        self.paths = paths
    }

    /// Takes over the draining, and returns what the keeper discarded, by the descriptors' names. Throws when the
    /// keeper does not answer: it may be draining still.
    public func takeOver() throws(SystemError) -> [String: DiscardedOutput] {
        guard manager.notify(Self.take), awaitBarrier() else {
            throw SystemError("take over from", "the keeper", code: ETIMEDOUT, reason: "it does not answer")
        }
        defer { try? DiscardedOutput.write([:], to: paths.discarded) }
        return DiscardedOutput.table(at: paths.discarded)
    }

    /// Waits until the keeper has read all earlier messages (sd_notify_barrier(3)): it closes the end of a pipe.
    private func awaitBarrier() -> Bool {
        var ends: [Int32] = [-1, -1]
        guard gl_pipe(&ends, O_CLOEXEC) == 0 else {
            return false
        }
        let answer = Descriptor(owning: ends[0])
        let isSent = manager.notify("BARRIER=1", descriptors: [ends[1]])
        close(ends[1])
        var polled = pollfd(answer.raw, 0)
        return isSent && poll(&polled, 1, Self.answerLimit) == 1
    }

    /// Has the calling thread, which drains from now on, hold the lease, and notifies the keeper. Throws when that is
    /// not possible: the keeper will begin to drain beside this process.
    public func acquireLease() throws(SystemError) {
        let lease = try ThreadLease(opening: paths.lease)
        lease.acquire()
        // The memory must stay as long as the lock is held.
        _ = Unmanaged.passRetained(lease)
        guard manager.notify(Self.held) else {
            throw SystemError("take over from", "the keeper", code: ECONNREFUSED, reason: "its socket is gone")
        }
    }
}

extension DiscardedOutput {
    /// Reads the file at `path`, by name: a line each of bytes, lines, time and name.
    public static func table(at path: String) -> [String: DiscardedOutput] {
        var table: [String: DiscardedOutput] = [:]
        // The path of a file in memory is a link in procfs.
        for line in ProcFile.text(path, limit: LinuxFileSystem.tableLimit).split(separator: "\n") {
            let words = line.split(separator: " ", maxSplits: 3)
            guard words.count == 4, let bytes = Int(words[0]), let lines = Int(words[1]), let since = Int64(words[2])
            else {
                continue
            }
            table[String(words[3])] = DiscardedOutput(bytes: bytes, lines: lines, since: since)
        }
        return table
    }

    /// Writes `table` to the file at `path`, replacing its contents. Names contain no line feed.
    public static func write(_ table: [String: DiscardedOutput], to path: String) throws(SystemError) {
        let text = table.map { "\($0.value.bytes) \($0.value.lines) \($0.value.since) \($0.key)\n" }.joined()
        let file = Descriptor(
            owning: try systemCall("open", path) { gl_open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600) }
        )
        let bytes = Array(text.utf8)
        let number = file.raw
        guard try systemCall("write", path, { Glibc.write(number, bytes, bytes.count) }) == bytes.count else {
            throw SystemError("write", path, code: ENOSPC)
        }
    }
}
