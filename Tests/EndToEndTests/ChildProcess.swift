// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
import SystemIO
import TestSupport
import Testing

/// A program that a test runs. Its output goes to files, so that it never waits for its reader; it does not outlive the
/// test.
final class ChildProcess {
    let process: pid_t
    private let outputPath: String
    private let errorPath: String
    private var input: Int32
    private var waited: Int32?

    /// Its environment apart from what a test sets: without variables that lead to another store.
    private static let environment = [
        "PATH": Program.variable("PATH") ?? "/usr/bin:/bin", "HOME": "/nonexistent", "LANG": "C.UTF-8", "TZ": "UTC",
    ]

    /// Runs `command`; its output is appended to `name`.out and `name`.err in `folder`.
    init(_ command: [String], name: String, in folder: String, environment: [String: String] = [:]) {
        outputPath = folder + "/" + name + ".out"
        errorPath = folder + "/" + name + ".err"
        var pipe: [Int32] = [0, 0]
        precondition(gl_pipe(&pipe, O_CLOEXEC) == 0, "no pipe to be had")
        input = pipe[1]
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        posix_spawn_file_actions_adddup2(&actions, pipe[0], 0)
        posix_spawn_file_actions_addopen(&actions, 1, outputPath, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        posix_spawn_file_actions_addopen(&actions, 2, errorPath, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        process = Self.spawn(["env", "-C", folder] + Self.mortal(command), &actions, environment)
        posix_spawn_file_actions_destroy(&actions)
        close(pipe[0])
    }

    private static func spawn(
        _ command: [String],
        _ actions: inout posix_spawn_file_actions_t,
        _ environment: [String: String]
    ) -> pid_t {
        let variables = Self.environment.merging(environment) { $1 }.map { "\($0.key)=\($0.value)" }
        var arguments: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) } + [nil]
        var settings: [UnsafeMutablePointer<CChar>?] = variables.map { strdup($0) } + [nil]
        defer { (arguments + settings).forEach { free($0) } }
        // A test's thread blocks signals, and the test ignores one; its children must not.
        var attributes = posix_spawnattr_t()
        var signals = sigset_t()
        posix_spawnattr_init(&attributes)
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigaddset(&signals, SIGPIPE)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        defer { posix_spawnattr_destroy(&attributes) }
        var process: pid_t = 0
        let code = posix_spawnp(&process, command[0], &actions, &attributes, &arguments, &settings)
        precondition(code == 0, "cannot run \(command): \(String(cString: strerror(code)))")
        return process
    }

    /// `command`, run so that it ends with the thread that started it.
    static func mortal(_ command: [String]) -> [String] {
        ["setpriv", "--pdeathsig", "SIGKILL", "--"] + command
    }

    deinit {
        if input >= 0 {
            close(input)
        }
        if !hasEnded {
            signal(SIGKILL)
            wait()
        }
    }

    /// Its standard output so far.
    var output: [UInt8] { FileText.bytes(outputPath) }
    /// Its size in bytes.
    var outputSize: Int { Int(FileAttributes(at: outputPath)?.size ?? 0) }
    var text: String { String(decoding: output, as: UTF8.self) }
    /// Its standard error so far.
    var standardError: String { String(decoding: FileText.bytes(errorPath), as: UTF8.self) }

    func signal(_ number: Int32) {
        if waited == nil {
            kill(process, number)
        }
    }

    /// Closes its standard input.
    func closeInput() {
        close(input)
        input = -1
    }

    /// Writes to its standard input; a program that has ended fails the test.
    func send(_ text: String) {
        _ = Self.ignoringBrokenPipes
        let bytes = Array(text.utf8)
        if write(input, bytes, bytes.count) != bytes.count {
            Issue.record("the program takes no input: \(String(cString: strerror(errno)))")
        }
    }

    /// A write to a program that has ended must not end the test's process.
    private static let ignoringBrokenPipes: Void = { Glibc.signal(SIGPIPE, SIG_IGN) }()

    var hasEnded: Bool {
        if waited == nil {
            var status: Int32 = 0
            if waitpid(process, &status, WNOHANG) == process {
                waited = status
            }
        }
        return waited != nil
    }

    /// Waits for its end; returns its exit status, or 128 and the signal that ended it. A program that does not end
    /// within `seconds` is killed.
    @discardableResult
    func wait(within seconds: Double = 60) -> Int32 {
        if !eventually(within: seconds, { hasEnded }) {
            signal(SIGKILL)
            _ = eventually { hasEnded }
        }
        guard let waited else {
            return -1
        }
        let signal = waited & 0x7f
        return signal == 0 ? (waited >> 8) & 0xff : 128 + signal
    }

    /// Ends it with the signal `number`.
    @discardableResult
    func stop(_ number: Int32 = SIGTERM) -> Int32 {
        signal(number)
        return wait()
    }
}

/// Whole files.
enum FileText {
    /// The contents of `path`; empty when it does not exist.
    static func bytes(_ path: String) -> [UInt8] {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else {
            if ![ENOENT, ENOTDIR].contains(errno) {
                Issue.record("\(path) cannot be opened: \(String(cString: strerror(errno)))")
            }
            return []
        }
        defer { close(file) }
        var status = stat()
        fstat(file, &status)
        return [UInt8](unsafeUninitializedCapacity: Int(status.st_size)) { buffer, filled in
            while filled < buffer.count {
                let count = read(file, buffer.baseAddress! + filled, buffer.count - filled)
                guard count > 0 else { break }
                filled += count
            }
        }
    }

    static func text(_ path: String) -> String {
        String(decoding: bytes(path), as: UTF8.self)
    }

    /// The contents of the file at `path` in procfs, where files report no size; 4 KiB at most.
    static func procText(_ path: String) -> String {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else {
            return ""
        }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = read(file, &bytes, bytes.count)
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    }

    static func write(_ text: String, to path: String) {
        let file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
        precondition(file >= 0, "cannot write \(path)")
        let bytes = Array(text.utf8)
        precondition(Glibc.write(file, bytes, bytes.count) == bytes.count)
        close(file)
    }

    /// The names in `folder`, sorted.
    static func names(in folder: String) -> [String] {
        guard let stream = opendir(folder) else {
            return []
        }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." {
                names.append(name)
            }
        }
        return names.sorted()
    }

    /// The size of all files below `folder`; those that vanish meanwhile do not count.
    static func size(below folder: String) -> Int {
        names(in: folder).reduce(0) { sum, name in
            var status = stat()
            guard lstat(folder + "/" + name, &status) == 0 else {
                return sum
            }
            let isFolder = status.st_mode & S_IFMT == S_IFDIR
            return sum + (isFolder ? size(below: folder + "/" + name) : Int(status.st_size))
        }
    }
}
