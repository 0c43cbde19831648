import CLinux
import Glibc

/// The program that runs in this process.
public enum ProgramImage {
    /// Goes on in a process of its own, without a terminal; the one that was started ends. Before there is any thread.
    public static func goIntoBackground() throws(SystemError) {
        try systemCall("daemon") { gl_daemon() }
    }

    /// Becomes the program at `path`, searched for as a shell does when it has no slash, with the same arguments and no
    /// signal blocked. Descriptors that are to stay must not be closed on exec. Returns only when that fails: why.
    public static func replace(by path: String) -> SystemError {
        var arguments: [UnsafeMutablePointer<CChar>?] = CommandLine.arguments.map { strdup($0) } + [nil]
        defer { arguments.forEach { free($0) } }
        var none = sigset_t()
        sigemptyset(&none)
        sigprocmask(SIG_SETMASK, &none, nil)
        execvp(path, &arguments)
        return SystemError("exec", path)
    }
}
