// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO

/// Another process, started for a row.
final class ChildProcess {
    let id: pid_t
    private let output: Int32?
    private var status: Int32?

    /// This program again, with other arguments.
    static func own(
        _ arguments: [String],
        capturesOutput: Bool = false,
        passing descriptors: [Int32] = []
    ) throws -> ChildProcess {
        try ChildProcess(CommandLine.arguments[0], arguments, capturesOutput: capturesOutput, passing: descriptors)
    }

    /// The program that is measured.
    static func guestlog(_ arguments: [String], capturesOutput: Bool = false) throws -> ChildProcess {
        try ChildProcess(guestlogPath(), arguments, capturesOutput: capturesOutput)
    }

    static func guestlogPath() throws -> String {
        guard let path = getenv("GUESTLOG").map({ String(cString: $0) }), access(path, X_OK) == 0 else {
            throw BenchError("GUESTLOG must name the release build of guestlog; scripts/bench sees to it")
        }
        return path
    }

    /// Starts `program`; `descriptors` become 3, 4, 5 … there.
    init(
        _ program: String,
        _ arguments: [String],
        capturesOutput: Bool = false,
        passing descriptors: [Int32] = []
    ) throws {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        // Out of the way of the numbers they are to have.
        let moved = descriptors.map { fcntl($0, F_DUPFD_CLOEXEC, 100) }
        defer { moved.forEach { close($0) } }
        for (index, descriptor) in moved.enumerated() {
            posix_spawn_file_actions_adddup2(&actions, descriptor, Int32(3 + index))
        }
        var reading: Int32?
        var writing: Int32?
        if capturesOutput {
            let pipe = try Descriptor.pipe()
            reading = try pipe.first.duplicate().release()
            let end = try pipe.second.duplicate().release()
            posix_spawn_file_actions_adddup2(&actions, end, 1)
            writing = end
        }
        var words: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) }
        words.append(nil)
        defer { words.forEach { free($0) } }
        var id = pid_t()
        let code = posix_spawnp(&id, program, &actions, nil, &words, environ)
        if let writing {
            close(writing)
        }
        output = reading
        self.id = id
        guard code == 0 else {
            throw SystemError("posix_spawn", program, code: code)
        }
    }

    /// What it printed until it closed its output.
    func outputToEnd() throws -> String {
        var text: [UInt8] = []
        while let more = readOutput() {
            text.append(contentsOf: more)
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// The next piece that it printed; nil at the end.
    func readOutput() -> [UInt8]? {
        guard let output else {
            return nil
        }
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        let count = read(output, &buffer, buffer.count)
        return count > 0 ? Array(buffer[..<count]) : nil
    }

    /// Waits for its end; its exit status, or minus the signal that ended it.
    @discardableResult
    func wait() -> Int32 {
        if let status {
            return status
        }
        var raw: Int32 = 0
        while waitpid(id, &raw, 0) < 0, errno == EINTR {}
        let signal = raw & 0x7f
        let result = signal == 0 ? (raw >> 8) & 0xff : -signal
        status = result
        return result
    }

    func kill(_ signal: Int32) {
        if status == nil {
            Glibc.kill(id, signal)
        }
    }

    deinit {
        kill(SIGKILL)
        wait()
        if let output {
            close(output)
        }
    }
}

/// A process's resource usage, from /proc.
struct ProcessUsage {
    /// CPU seconds of each living thread, by the thread's name; those of one name together.
    var threads: [String: Double] = [:]
    /// CPU seconds of all living threads.
    var cpu: Double { threads.values.reduce(0, +) }

    /// A process's threads now.
    init(of process: pid_t = getpid()) {
        let tasks = "/proc/\(process)/task"
        for entry in Machine.entries(of: tasks) {
            let name = Machine.contents(of: "\(tasks)/\(entry.name)/comm").split(separator: "\n").first ?? ""
            // Nanoseconds on a core, which the clock ticks in stat would round.
            let fields = Machine.contents(of: "\(tasks)/\(entry.name)/schedstat").split(separator: " ")
            threads[String(name), default: 0] += (fields.first.flatMap { Double($0) } ?? 0) / 1e9
        }
    }

    /// CPU seconds of the threads whose names begin with one of `prefixes`.
    func cpu(of prefixes: String...) -> Double {
        threads.filter { thread in prefixes.contains { thread.key.hasPrefix($0) } }.values.reduce(0, +)
    }

    /// Resident memory in MB, by kind.
    static func memory(of process: pid_t) -> (all: Double, own: Double, shared: Double) {
        var fields: [Substring: Double] = [:]
        for line in Machine.contents(of: "/proc/\(process)/status").split(separator: "\n") {
            let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" })
            if words.count == 3, words[2] == "kB" {
                fields[words[0].dropLast()] = (Double(words[1]) ?? 0) * 1024 / 1e6
            }
        }
        return (fields["VmRSS"] ?? 0, fields["RssAnon"] ?? 0, fields["RssShmem"] ?? 0)
    }
}
