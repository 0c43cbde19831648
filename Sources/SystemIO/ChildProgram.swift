// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

/// A program that this process has started and waits for.
public struct ChildProgram: ~Copyable {
    public let process: pid_t
    /// Readable once the program has ended.
    public let ended: Descriptor
    private let name: String

    /// What the program gets as its descriptors.
    public enum Streams {
        /// Copies of this process's descriptors, under their new numbers. Others are inherited, unless they are closed
        /// on exec.
        case copies([(number: Int32, of: Int32)])
        /// The terminal at that path: the standard streams and the controlling terminal of a session of its own.
        case terminal(String)
    }

    /// `POSIX_SPAWN_SETSID`, which Glibc's module does not define.
    private static let ownSession: Int32 = 0x80

    /// Starts a command of the user's as a shell does: a script that names no interpreter is the shell's, as for execvp(3).
    public static func command(_ words: [String], _ streams: Streams) throws(SystemError) -> ChildProgram {
        do throws(SystemError) {
            return try ChildProgram(words, streams)
        } catch {
            guard error.code == ENOEXEC, let script = file(of: words[0]) else {
                throw error
            }
            return try ChildProgram(["/bin/sh", script] + words.dropFirst(), streams)
        }
    }

    /// The file of the program `name`, looked for in PATH unless it has a slash.
    private static func file(of name: String) -> String? {
        guard !name.contains("/") else {
            return name
        }
        let path = Environment["PATH"] ?? "/bin:/usr/bin"
        return path.split(separator: ":").map { "\($0)/\(name)" }.first { access($0, X_OK) == 0 }
    }

    /// Starts the program `words[0]`, found as in a shell, with the arguments after it and the `environment`
    /// (`NAME=VALUE`; nil: this process's). No signal is blocked or ignored by this process's choice.
    public init(
        _ words: [String],
        _ streams: Streams = .copies([]),
        environment: [String]? = nil
    ) throws(SystemError) {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF
        switch streams {
        case .copies(let copies):
            for copy in copies {
                // Fails for lack of memory, or beyond the limit of open files.
                let code = posix_spawn_file_actions_adddup2(&actions, copy.of, copy.number)
                guard code == 0 else {
                    throw SystemError("copy a descriptor for", words[0], code: code)
                }
            }
        case .terminal(let path):
            // Opened after the new session has begun, the terminal becomes its controlling one.
            flags |= Self.ownSession
            posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, path, O_RDWR, 0)
            posix_spawn_file_actions_adddup2(&actions, STDIN_FILENO, STDOUT_FILENO)
            posix_spawn_file_actions_adddup2(&actions, STDIN_FILENO, STDERR_FILENO)
        }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        WriteSignals.all.forEach { sigaddset(&signals, $0) }
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, Int16(flags))
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        var variables: [UnsafeMutablePointer<CChar>?] = (environment ?? []).map { strdup($0) } + [nil]
        defer { (arguments + variables).forEach { free($0) } }
        var child: pid_t = 0
        let code = variables.withUnsafeMutableBufferPointer { variables in
            let environment = environment == nil ? environ : variables.baseAddress!
            return posix_spawnp(&child, words[0], &actions, &attributes, &arguments, environment)
        }
        guard code == 0 else {
            throw SystemError("run", words[0], code: code)
        }
        let descriptor: Int32
        do throws(SystemError) {
            descriptor = try systemCall("pidfd_open", words[0]) { gl_pidfd(child) }
        } catch {
            // Without it the program's end would never be noticed.
            kill(child, SIGKILL)
            _ = Self.status(of: child)
            throw error
        }
        process = child
        name = words[0]
        ended = Descriptor(owning: descriptor)
    }

    public func send(_ signal: Int32) {
        kill(process, signal)
    }

    /// Whether the program handles `signal`: it neither ends by it nor ignores it (`SigCgt` in proc_pid_status(5)).
    public func handles(_ signal: Int32) -> Bool {
        let lines = ProcFile.text("/proc/\(process)/status").split(separator: "\n")
        let mask = lines.first { $0.hasPrefix("SigCgt:") }?.split(separator: "\t").last
        return mask.flatMap { UInt64($0, radix: 16) }.map { $0 >> UInt64(signal - 1) & 1 == 1 } ?? false
    }

    /// Waits for the program's end. Returns its exit status, or 128 and the signal that ended it, as a shell does.
    public consuming func wait() -> Int32 {
        Self.status(of: process)
    }

    private static func status(of process: pid_t) -> Int32 {
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0, errno == EINTR {}
        let signal = status & 0x7f
        return signal == 0 ? status >> 8 & 0xff : 128 + signal
    }

    /// How long a killed program is waited for, in seconds.
    private static let killLimit = 1

    /// The same for a program that has not ended after `seconds`: it is killed, and ETIMEDOUT is thrown. One that a
    /// file system blocks does not end, and is left behind.
    public consuming func wait(seconds: Int) throws(SystemError) -> Int32 {
        if hasEnded(within: seconds) {
            return wait()
        }
        let name = name
        send(SIGKILL)
        if hasEnded(within: Self.killLimit) {
            _ = wait()
        }
        throw SystemError("run", name, code: ETIMEDOUT)
    }

    private func hasEnded(within seconds: Int) -> Bool {
        let clock = SystemClock()
        let deadline = clock.monotonicMicroseconds() + Int64(seconds) * 1_000_000
        var polled = [pollfd(ended.raw)]
        var count: Int32
        repeat {
            count = Poll.wait(for: &polled, microseconds: deadline - clock.monotonicMicroseconds())
        } while count < 0 && errno == EINTR
        return count != 0
    }
}

extension ChildProgram {
    public struct Outcome: Sendable {
        /// Its exit status, or 128 and the signal that ended it.
        public let status: Int32
        /// Its standard output.
        public let output: [UInt8]
        /// Its standard error; empty when that was shared.
        public let errors: [UInt8]
    }

    /// Runs a program to its end, with `input` as standard input, or, if it `sharesInput`, with this process's; it shares
    /// this process's standard error, unless that `takesErrors`. A program that has not ended after `limit` seconds (nil: no
    /// limit) is killed, and ETIMEDOUT is thrown.
    public static func run(
        _ words: [String],
        input: [UInt8] = [],
        sharesInput: Bool = false,
        environment: [String]? = nil,
        takesErrors: Bool = false,
        limit: Int? = nil
    ) throws(SystemError) -> Outcome {
        let given = try Descriptor.unnamedFile(in: "/tmp")
        let output = try Descriptor.unnamedFile(in: "/tmp")
        let errors = try Descriptor.unnamedFile(in: "/tmp")
        guard pwrite(given.raw, input, input.count, 0) == input.count else {
            throw SystemError("write", words[0])
        }
        var copies = sharesInput ? [] : [(STDIN_FILENO, given.raw)]
        copies.append((STDOUT_FILENO, output.raw))
        let child = try ChildProgram(
            words,
            .copies(copies + (takesErrors ? [(STDERR_FILENO, errors.raw)] : [])),
            environment: environment
        )
        let status = if let limit { try child.wait(seconds: limit) } else { child.wait() }
        lseek(output.raw, 0, SEEK_SET)
        lseek(errors.raw, 0, SEEK_SET)
        return Outcome(status: status, output: try output.readToEnd(), errors: try errors.readToEnd())
    }
}
