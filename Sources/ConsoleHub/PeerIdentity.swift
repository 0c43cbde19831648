// SPDX-License-Identifier: Apache-2.0

import Capture
import Glibc
import SystemIO

/// What is at the other end of a console: distinguishes a VMM from its predecessor. A process and its start time, which
/// together are never reused; or process 0 and a number for the named pipe or the terminal in its place.
struct PeerIdentity: Hashable, Sendable {
    var process: Int32
    /// Its start, in clock ticks since the host's boot (proc(5), field 22).
    var start: UInt64

    /// The peer at the other end of `descriptor`.
    init?(behind descriptor: Int32) {
        guard let identity = PeerIdentity(peerOf: descriptor) ?? PeerIdentity(fileBehind: descriptor) else {
            return nil
        }
        self = identity
    }

    /// The process at the other end of `socket`, if it is visible. The start is 0 when it has ended or is hidden.
    private init?(peerOf socket: Int32) {
        guard let peer = try? UnixSocket.peer(of: socket), peer.process > 0 else {
            return nil
        }
        process = peer.process
        start = Self.start(of: peer.process) ?? 0
    }

    func isSame(as other: PeerIdentity) -> Bool {
        process == other.process && (start == other.start || start == 0 || other.start == 0)
    }

    /// How long the process has been running, in microseconds; nil when that is unknown.
    var age: Int64? {
        guard process > 0, start > 0 else {
            return nil
        }
        let ticks = Int64(max(1, sysconf(Int32(_SC_CLK_TCK))))
        let begun = Int64(clamping: start) / ticks * 1_000_000 + Int64(clamping: start) % ticks * 1_000_000 / ticks
        return SystemClock.bootMicroseconds() - begun
    }

    /// Whether it is a VMM that was started to continue a machine, according to its command line; false when that is not
    /// visible.
    var isContinuing: Bool {
        process > 0
            && ProcFile.strings("/proc/\(process)/cmdline").contains { ContinuedMachine.isIndicated(by: $0.utf8) }
    }

    init(process: Int32, start: UInt64) {
        self.process = process
        self.start = start
    }

    /// A named pipe or a pseudo-terminal in place of the process behind it, which is not visible: process 0, and a
    /// number that no other file at the same path has.
    private init?(fileBehind descriptor: Int32) {
        guard let file = try? FileAttributes(of: descriptor, "console"),
            [.fifo, .characterDevice].contains(file.kind)
        else {
            return nil
        }
        process = 0
        // Numbers of pseudo-terminals are reused, but only their creation changes the inode; the inode of a pipe
        // changes with each write.
        let made = file.kind == .fifo ? 0 : file.changed
        start = (file.identity.inode &+ UInt64(truncatingIfNeeded: made)) & UInt64(Int64.max)
    }

    private static func start(of process: Int32) -> UInt64? {
        let fields = ProcFile.statFields("/proc/\(process)/stat")
        return fields.count > 19 ? UInt64(fields[19]) : nil
    }
}
