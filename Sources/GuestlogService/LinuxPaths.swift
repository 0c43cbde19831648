import Glibc
import SystemIO

/// The folders the daemon needs before it can begin.
public enum LinuxPaths {
    /// Makes the runtime folder and the socket's, with all above them. The store's folder is made by those who may wait for
    /// its disk.
    public static func prepare(_ configuration: Configuration) throws(SystemError) {
        try makeAll(configuration.runtime)
        try makeFolder(of: configuration.socket)
    }

    /// Makes the folder that the file at `path` is to lie in, with all above it.
    static func makeFolder(of path: String) throws(SystemError) {
        if let slash = path.lastIndex(of: "/"), slash > path.startIndex {
            try makeAll(String(path[..<slash]))
        }
    }

    private static func makeAll(_ path: String) throws(SystemError) {
        var made = path.hasPrefix("/") ? "" : "."
        for part in path.split(separator: "/") {
            made += "/" + part
            if mkdir(made, 0o750) != 0, errno != EEXIST {
                throw SystemError("mkdir", made)
            }
        }
    }
}
