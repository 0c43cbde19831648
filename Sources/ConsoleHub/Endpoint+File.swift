// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
import SystemIO

/// The file at an endpoint's path: checked and opened through one descriptor, so that it cannot be replaced in between.
extension Endpoint {
    /// Size of a named pipe's buffer, in bytes.
    private static let pipeSize: Int32 = 1 << 20
    /// Permissions of a new named pipe: as those of sockets, so that a VMM of the group can write.
    private static let pipeMode: mode_t = 0o660

    /// The file at the path. Throws with the reason when it is not of the endpoint's kind.
    ///
    /// Below `trusted`, the administrator's part of a watched path, links are refused, and so are terminals that belong
    /// to another user than their folder does. A path that the administrator named, `trusted` nil, may be a link; a
    /// named pipe is created there when it is absent.
    func locate(trusted: String?) throws(SystemError) -> PathHandle {
        guard let path else {
            preconditionFailure("\(description) has no path")
        }
        var isNewFIFO = false
        if case .fifo = self, trusted == nil {
            isNewFIFO = try makeFIFO(at: path)
        }
        let file = try PathHandle(path, trusted: trusted)
        let found = file.attributes.kind
        guard found != .link else {
            throw SystemError("open", path, code: ELOOP, reason: "it is a symbolic link, which is not followed there")
        }
        switch self {
        case .connect where found != .socket:
            throw SystemError("connect", path, code: ENOTSOCK, reason: "it is \(found), not a socket")
        case .fifo where found != .fifo:
            throw SystemError("open", path, code: EINVAL, reason: "it is \(found), not a FIFO")
        case .terminal where !file.isPseudoTerminal:
            throw SystemError("open", path, code: ENOTTY, reason: "it is \(found), not a pseudo-terminal")
        default: break
        }
        if isNewFIFO {
            // The umask has removed some of them.
            try file.setMode(Self.pipeMode)
        }
        if case .terminal = self, let directory = file.directory, directory.owner != file.attributes.owner {
            let reason = "it belongs to user \(file.attributes.owner), and the directory to user \(directory.owner)"
            throw SystemError("open", path, code: EACCES, reason: reason)
        }
        return file
    }

    /// Creates a named pipe at `path`, unless there is a file; returns whether it did.
    private func makeFIFO(at path: String) throws(SystemError) -> Bool {
        do throws(SystemError) {
            try FileOwner.create(at: path) { () throws(SystemError) in
                try systemCall("mkfifo", path) { mkfifo(path, Self.pipeMode) }
            }
            return true
        } catch  where error.code == EEXIST {
            return false
        }
    }

    /// Opens the located file. It does not wait for the other end, but may wait for the path's file system: not on a
    /// shard.
    func open(_ file: borrowing PathHandle) throws(SystemError) -> Descriptor {
        do throws(SystemError) {
            return try openAny(file)
        } catch  where error.code == EACCES && !mayAnyoneOpen(file) {
            let (user, group) = (file.attributes.owner, file.attributes.group)
            let isGroups = file.attributes.permissions & UInt32(S_IWGRP) != 0
            let remedy =
                isGroups
                ? "only user \(user) and group \(group) may; add SupplementaryGroups=\(group) to the daemon's unit"
                : "only user \(user) may; let the VMM's group write to it, and add that group to the daemon's unit with "
                    + "SupplementaryGroups="
            throw SystemError(error.operation, error.subject, code: EACCES, reason: "\(error.reason): \(remedy)")
        }
    }

    /// Whether the file's permissions admit all users: then something else refuses the daemon, such as AppArmor.
    private func mayAnyoneOpen(_ file: borrowing PathHandle) -> Bool {
        file.attributes.permissions & UInt32(isPipe ? S_IROTH : S_IWOTH) != 0
    }

    private func openAny(_ file: borrowing PathHandle) throws(SystemError) -> Descriptor {
        switch self {
        case .connect:
            return try file.connect()
        case .terminal:
            let terminal = try file.open(O_RDWR | O_NOCTTY | O_NONBLOCK)
            makeRaw(terminal.raw)
            return terminal
        case .fifo:
            // For reading only, so that the end of the writers is the end of the file.
            let fifo = try file.open(O_RDONLY | O_NONBLOCK)
            // A larger buffer for output while this process restarts; refused beyond the user's limit.
            _ = gl_set_pipe_size(fifo.raw, Self.pipeSize)
            return fifo
        case .listen, .tcp, .inherited:
            preconditionFailure("\(description) is not opened by a path")
        }
    }

    /// Raw mode: no echo, no signals, no translation.
    private func makeRaw(_ terminal: Int32) {
        var mode = termios()
        if tcgetattr(terminal, &mode) == 0 {
            cfmakeraw(&mode)
            tcsetattr(terminal, TCSANOW, &mode)
        }
    }

    /// Throws with the reason when there can be no console at the endpoint as things are. A socket or a terminal that
    /// does not exist yet is accepted.
    public func check() throws(SystemError) {
        switch self {
        case .connect, .terminal:
            do throws(SystemError) {
                _ = try locate(trusted: nil)
            } catch  where error.code == ENOENT {}
        case .fifo:
            _ = try locate(trusted: nil)
        case .listen(let path):
            try ListeningSocket(path: path).removeFile()
        case .tcp, .inherited:
            break
        }
    }
}
