// SPDX-License-Identifier: Apache-2.0

extension UnixSocket {
    /// The longest path of a socket, in bytes (`sun_path` of unix(7), without the NUL at its end).
    public static let longestPath = 107

    /// Throws ENAMETOOLONG when clients could not connect to a socket at `path`.
    public static func check(path: String) throws(SystemError) {
        guard path.utf8.count <= longestPath else {
            throw SystemError("bind", path, code: SystemError.nameTooLong, reason: "\(pathRule); choose a shorter one")
        }
    }

    /// The rule of `longestPath`, in words.
    public static let pathRule = "a socket path can have \(longestPath) bytes at most"

    /// The paths of the Unix sockets on which `process` listens, also those that were passed to it; empty when that is
    /// not visible to the caller.
    public static func listeningPaths(of process: Int32) -> Set<String> {
        let folder = "/proc/\(process)/fd"
        let prefix = "socket:["
        let sockets = Set(
            ProcFile.names(in: folder).compactMap { ProcFile.target(ofLink: folder + "/" + $0) }
                .filter { $0.hasPrefix(prefix) }.map { $0.dropFirst(prefix.count).dropLast() }
        )
        guard !sockets.isEmpty else {
            return []
        }
        var paths: Set<String> = []
        // Num, RefCount, Protocol, Flags, Type, St, Inode, Path (proc(5)); only a bound socket has a path.
        for line in ProcFile.text("/proc/\(process)/net/unix", limit: .max).split(separator: "\n") {
            let fields = line.split(separator: " ", maxSplits: 7)
            guard fields.count == 8, let flags = UInt32(fields[3], radix: 16), flags & acceptsConnections != 0,
                sockets.contains(fields[6])
            else {
                continue
            }
            paths.insert(String(fields[7]))
        }
        return paths
    }

    /// The kernel's flag of a listening socket (`__SO_ACCEPTCON`).
    private static let acceptsConnections: UInt32 = 1 << 16
}
