// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

/// Runs another program to its end.
public enum ChildCommand {
    public struct Outcome: Sendable {
        /// Its exit status, or 128 and the signal that ended it.
        public let status: Int32
        /// Its standard output.
        public let output: [UInt8]
    }

    /// Runs the program `words[0]`, found as in a shell, with `input` as standard input and no signal blocked. It
    /// shares this process's standard error. A program that has not ended after `limit` seconds (nil: no limit) is
    /// killed, and ETIMEDOUT is thrown.
    public static func run(_ words: [String], input: [UInt8] = [], limit: Int? = nil) throws(SystemError) -> Outcome {
        let given = try unnamedFile()
        let taken = try unnamedFile()
        guard pwrite(given.raw, input, input.count, 0) == input.count else {
            throw SystemError("write", words[0])
        }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, given.raw, STDIN_FILENO)
        posix_spawn_file_actions_adddup2(&actions, taken.raw, STDOUT_FILENO)
        let child = try spawn(words, &actions)
        if let limit {
            try waitForEnd(of: child, seconds: limit, words[0])
        }
        var status: Int32 = 0
        try systemCall("wait for", words[0]) { waitpid(child, &status, 0) }
        return Outcome(status: exitStatus(status), output: contents(of: taken.raw))
    }

    /// Starts the program `words[0]`, found as in a shell, with no signal blocked.
    public static func spawn(
        _ words: [String],
        _ actions: inout posix_spawn_file_actions_t
    ) throws(SystemError) -> pid_t {
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        defer { arguments.forEach { free($0) } }
        var child: pid_t = 0
        let code = posix_spawnp(&child, words[0], &actions, &attributes, &arguments, environ)
        guard code == 0 else {
            throw SystemError("run", words[0], code: code)
        }
        return child
    }

    /// A shell's exit status for waitpid(2)'s `status`: the exit status, or 128 and the signal.
    public static func exitStatus(_ status: Int32) -> Int32 {
        let signal = status & 0x7f
        return signal == 0 ? status >> 8 & 0xff : 128 + signal
    }

    private static func waitForEnd(of child: pid_t, seconds: Int, _ program: String) throws(SystemError) {
        let ended = Descriptor(owning: try systemCall("pidfd_open") { gl_pidfd(child) })
        var polled = pollfd(fd: ended.raw, events: Int16(POLLIN), revents: 0)
        guard poll(&polled, 1, Int32(clamping: seconds * 1000)) == 0 else {
            return
        }
        kill(child, SIGKILL)
        waitpid(child, nil, 0)
        throw SystemError("run", program, code: ETIMEDOUT)
    }

    private static func unnamedFile() throws(SystemError) -> Descriptor {
        // O_TMPFILE, which Glibc's module does not define.
        let flags = 0o20_000_000 | O_DIRECTORY | O_RDWR | O_CLOEXEC
        return Descriptor(owning: try systemCall("open", "/tmp") { gl_open("/tmp", flags, 0o600) })
    }

    private static func contents(of file: Int32) -> [UInt8] {
        let size = Int(lseek(file, 0, SEEK_END))
        return [UInt8](unsafeUninitializedCapacity: max(0, size)) { buffer, filled in
            filled = max(0, pread(file, buffer.baseAddress, buffer.count, 0))
        }
    }
}
