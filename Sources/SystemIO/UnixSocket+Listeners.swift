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
        return Set(listeners(seenBy: "\(process)").filter { sockets.contains($0.inode) }.map { String($0.path) })
    }

    /// Whether a process of this network namespace has a socket that it bound to this `path`, and listens on it; also
    /// where this user may not see the file.
    public static func isListening(at path: String) -> Bool {
        listeners(seenBy: "self").contains { $0.path == path }
    }

    /// The bound sockets in the network namespace of `process` on which a process listens.
    private static func listeners(seenBy process: String) -> [(inode: Substring, path: Substring)] {
        ProcFile.text("/proc/\(process)/net/unix", limit: .max).split(separator: "\n").compactMap { line in
            // Num, RefCount, Protocol, Flags, Type, St, Inode, Path (proc(5)); only a bound socket has a path.
            let fields = line.split(separator: " ", maxSplits: 7)
            guard fields.count == 8, let flags = UInt32(fields[3], radix: 16), flags & acceptsConnections != 0 else {
                return nil
            }
            return (inode: fields[6], path: fields[7])
        }
    }

    /// The kernel's flag of a listening socket (`__SO_ACCEPTCON`).
    private static let acceptsConnections: UInt32 = 1 << 16
}
