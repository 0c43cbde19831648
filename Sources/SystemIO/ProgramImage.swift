import CLinux
import Glibc

/// Which program runs in a process, and how another takes its place in this one.
public enum ProgramImage {
    /// The path of the program that runs here, or where it lay if another file has taken its place.
    public static func path() throws(SystemError) -> String {
        guard let path = path(of: getpid()) else {
            throw SystemError("readlink", "/proc/self/exe")
        }
        // What the kernel adds to the name of a file that is no longer there.
        let gone = " (deleted)"
        return path.hasSuffix(gone) ? String(path.dropLast(gone.count)) : path
    }

    /// The path of the program that runs in `process`; nil when that cannot be seen.
    public static func path(of process: Int32) -> String? {
        target(of: "/proc/\(process)/exe")
    }

    /// Where a symbolic link leads to; nil when there is none.
    public static func target(of link: String) -> String? {
        var target = [UInt8](repeating: 0, count: Int(PATH_MAX))
        let count = readlink(link, &target, target.count)
        return count < 0 ? nil : String(decoding: target.prefix(count), as: UTF8.self)
    }

    /// Goes on in a process of its own, without a terminal; the one that was started ends. Before there is any thread.
    public static func goIntoBackground() throws(SystemError) {
        try systemCall("daemon") { gl_daemon() }
    }

    /// How long a program may take to tell its version, in seconds.
    private static let checkLimit = 10

    /// What the program at `path` answers to `--version`. Throws when it cannot be run, or does not answer: a file that
    /// was cut short, or that is for another machine, cannot take this one's place.
    public static func version(of path: String) throws(SystemError) -> String {
        let outcome = try ChildCommand.run([path, "--version"], limit: checkLimit)
        guard outcome.status == 0 else {
            throw SystemError("run \(path) --version (it ended with \(outcome.status))", code: ENOEXEC)
        }
        return String(decoding: outcome.output, as: UTF8.self)
    }

    /// Becomes the program at `path` with the same arguments. Descriptors that are to stay must not be closed on exec.
    /// Returns only when that fails: why.
    ///
    /// Signals that are blocked stay so: one that comes before the new program waits for it is delivered to it then. A
    /// program that does not know of that needs them `unblocked`.
    public static func replace(by path: String, unblocked: Bool = false) -> SystemError {
        var arguments: [UnsafeMutablePointer<CChar>?] = CommandLine.arguments.map { strdup($0) } + [nil]
        defer { arguments.forEach { free($0) } }
        if unblocked {
            var none = sigset_t()
            sigemptyset(&none)
            sigprocmask(SIG_SETMASK, &none, nil)
        }
        // Not execvp, which hands a file that is no program to a shell.
        execv(path, &arguments)
        return SystemError("exec", path)
    }
}
