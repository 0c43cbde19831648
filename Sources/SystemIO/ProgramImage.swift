// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

/// The program of a process, and its replacement by another.
public enum ProgramImage {
    /// The path of this process's program, or its former path if another file has replaced it.
    public static func path() throws(SystemError) -> String {
        guard let path = path(of: getpid()) else {
            throw SystemError("readlink", "/proc/self/exe")
        }
        // The kernel's suffix for the name of a deleted file.
        let gone = " (deleted)"
        return path.hasSuffix(gone) ? String(path.dropLast(gone.count)) : path
    }

    /// The path of the program of `process`; nil when it is not visible.
    public static func path(of process: Int32) -> String? {
        ProcFile.target(ofLink: "/proc/\(process)/exe")
    }

    /// Continues in a child process without a terminal. This one ends when the child calls the returned function, which it
    /// does when it has begun its service, or with the child's status if it ends before. Messages go to standard error
    /// until then, and later to syslog, or to standard error if that is a file. Further calls of the function do nothing.
    /// To be called before there are other threads.
    public static func daemonize() throws(SystemError) -> () -> Void {
        let begun = try systemCall("daemon") { gl_daemon() }
        var isAwaited = true
        return {
            if isAwaited {
                isAwaited = false
                gl_daemon_begun(begun)
            }
        }
    }

    /// How long a program may take to print its version, in seconds.
    private static let checkLimit = 10

    /// The output of the program at `path` for `--version`. Throws when it cannot be run, or does not answer: a
    /// truncated file, or one for another machine, cannot replace this program.
    public static func version(of path: String) throws(SystemError) -> String {
        let outcome = try ChildProgram.run([path, "--version"], limit: checkLimit)
        guard outcome.status == 0 else {
            throw SystemError("run", "\(path) --version", code: ENOEXEC, reason: "it ended with \(outcome.status)")
        }
        return String(decoding: outcome.output, as: UTF8.self)
    }

    /// Replaces this image by the program at `path` with the same arguments. Descriptors to be kept must not be closed
    /// on exec. Returns only on failure, with the error.
    ///
    /// Blocked signals stay blocked: one that arrives before the new program waits for it is delivered then. A program
    /// that does not expect that needs them `unblocked`, and those of failed writes not ignored.
    public static func replace(by path: String, unblocked: Bool = false) -> SystemError {
        var arguments: [UnsafeMutablePointer<CChar>?] = CommandLine.arguments.map { strdup($0) } + [nil]
        defer { arguments.forEach { free($0) } }
        if unblocked {
            var none = sigset_t()
            sigemptyset(&none)
            sigprocmask(SIG_SETMASK, &none, nil)
            WriteSignals.restore()
        }
        // Not execvp, which passes a file that is not a program to a shell.
        execv(path, &arguments)
        let error = SystemError("exec", path)
        if unblocked {
            WriteSignals.ignore()
        }
        return error
    }
}
