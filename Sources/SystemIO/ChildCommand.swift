import CLinux
import Glibc

/// Another program, run to its end.
public enum ChildCommand {
    /// What it came to.
    public struct Outcome: Sendable {
        /// Its exit status; 128 and the signal that ended it.
        public let status: Int32
        /// What it wrote to standard output.
        public let output: [UInt8]
    }

    /// Runs the program at `words[0]`, found as a shell finds it, with `input` as its standard input. Its complaints go
    /// where ours go.
    public static func run(_ words: [String], input: [UInt8] = []) throws(SystemError) -> Outcome {
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
        var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        defer { arguments.forEach { free($0) } }
        var child: pid_t = 0
        let code = posix_spawnp(&child, words[0], &actions, nil, &arguments, environ)
        guard code == 0 else {
            throw SystemError("run", words[0], code: code)
        }
        var status: Int32 = 0
        let process = child
        try systemCall("wait for", words[0]) { waitpid(process, &status, 0) }
        let signal = status & 0x7f
        return Outcome(status: signal == 0 ? status >> 8 & 0xff : 128 + signal, output: contents(of: taken.raw))
    }

    private static func unnamedFile() throws(SystemError) -> Descriptor {
        // O_TMPFILE, of which Glibc's module does not know.
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
