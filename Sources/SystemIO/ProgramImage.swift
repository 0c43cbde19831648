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
