import Glibc
import SystemIO

/// The folders the daemon needs before it can begin, and where its program lies.
public enum LinuxPlaces {
    /// Makes the store's and the runtime folder, with all above them.
    public static func prepare(_ configuration: Configuration) throws(SystemError) {
        try makeAll(configuration.store)
        try makeAll(configuration.runtime)
        try makeFolder(of: configuration.socket)
    }

    /// Makes the folder that the file at `path` is to lie in, with all above it.
    static func makeFolder(of path: String) throws(SystemError) {
        if let slash = path.lastIndex(of: "/"), slash > path.startIndex {
            try makeAll(String(path[..<slash]))
        }
    }

    /// The path of the running program, or where it lay if another has taken its place.
    static func program() throws(SystemError) -> String {
        // What the kernel adds to the name of a file that is no longer there.
        let gone = " (deleted)"
        var path = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
        try systemCall("readlink", "/proc/self/exe") { readlink("/proc/self/exe", &path, Int(PATH_MAX)) }
        let text = path.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
        return text.hasSuffix(gone) ? String(text.dropLast(gone.count)) : text
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
