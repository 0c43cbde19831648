// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

/// Named descriptors that a process starts with, from the service manager or from the previous image of this process.
public enum PassedDescriptors {
    /// The process and, separated by a colon, the number of a file in memory with the list: `NUMBER=NAME` for each
    /// descriptor, separated by colons. Earlier versions had the list itself here.
    private static let variable = "GUESTLOG_PASSED"

    /// The maximum length of a variable of the environment, with its name and the final NUL, in bytes: execve(2) fails
    /// with E2BIG beyond (MAX_ARG_STRLEN). 131,072 where a page has 4 KiB.
    public static let variableLimit = 32 * sysconf(Int32(_SC_PAGESIZE))

    /// Keeps `descriptors` open over an exec of this process, with their numbers: other threads still use all other
    /// numbers until the exec has ended them, and must not write to a guest. Names contain no colon.
    ///
    /// All others are closed by the exec, so that their peers see the end.
    public static func pass(_ descriptors: [(name: String, descriptor: Int32)]) throws(SystemError) {
        let list = try writeList(descriptors.map { "\($0.descriptor)=\($0.name)" }.joined(separator: ":"))
        gl_close_on_exec()
        for descriptor in descriptors.map(\.descriptor) + [list] {
            _ = gl_fcntl(descriptor, F_SETFD, 0)
        }
        setenv(variable, "\(getpid()):\(list)", 1)
    }

    /// A file in memory with that text: the descriptors of some thousand consoles exceed `variableLimit`. It stays open
    /// for the next image.
    private static func writeList(_ text: String) throws(SystemError) -> Int32 {
        let name = "guestlog-passed"
        let file = Descriptor(owning: try systemCall("memfd_create", name) { gl_memory_file(name) })
        let bytes = Array(text.utf8)
        var written = 0
        while written < bytes.count {
            let number = file.raw
            written += try systemCall("write", name) {
                bytes[written...].withUnsafeBytes { write(number, $0.baseAddress, $0.count) }
            }
        }
        return file.release()
    }

    /// The variables of sd_listen_fds(3): the process that they are for, the number of descriptors, and their names,
    /// separated by colons.
    public static let processVariable = "LISTEN_PID"
    public static let countVariable = "LISTEN_FDS"
    public static let namesVariable = "LISTEN_FDNAMES"

    /// Passes each inherited descriptor to `body`, once, with its name. The variables that list them are removed, so
    /// that children do not use them.
    public static func take<Failure: Error>(
        _ body: (String, consuming Descriptor) throws(Failure) -> Void
    ) throws(Failure) {
        for (number, name) in fromManager() + fromOurselves() where gl_fcntl(number, F_GETFD, 0) >= 0 {
            let descriptor = Descriptor(owning: number)
            try? descriptor.setCloseOnExec()
            try body(name, descriptor)
        }
    }

    /// sd_listen_fds(3): numbers from 3 on, named by `FileDescriptorName=` or `FDNAME=`, `unknown` without one.
    private static func fromManager() -> [(Int32, String)] {
        let names = taken(namesVariable)?.split(separator: ":", omittingEmptySubsequences: false) ?? []
        let process = taken(processVariable).flatMap { Int32($0) }
        let count = taken(countVariable).flatMap { Int($0) } ?? 0
        guard process == getpid() else {
            return []
        }
        return (0..<max(0, count)).map { index in
            let name = index < names.count && !names[index].isEmpty ? String(names[index]) : "unknown"
            return (Int32(3 + index), name)
        }
    }

    /// Whether the previous image of this process has passed descriptors that are not taken yet.
    public static var areFromPreviousImage: Bool {
        Environment[variable]?.split(separator: ":").first.flatMap { Int32($0) } == getpid()
    }

    private static func fromOurselves() -> [(Int32, String)] {
        var words = taken(variable)?.split(separator: ":").map(String.init) ?? []
        guard words.first.flatMap({ Int32($0) }) == getpid() else {
            return []
        }
        words.removeFirst()
        if words.count == 1, let list = Int32(words[0]) {
            words = readList(list).split(separator: ":").map(String.init)
        }
        return words.compactMap { word in
            let number = word.prefix { $0 != "=" }
            let name = word.dropFirst(number.count + 1)
            return Int32(number).map { ($0, name.isEmpty ? "unknown" : String(name)) }
        }
    }

    /// The text of the file in memory that the previous image has left, which is closed; empty when there is none.
    private static func readList(_ number: Int32) -> String {
        guard lseek(number, 0, SEEK_SET) == 0 else {
            return ""
        }
        let bytes = try? Descriptor(owning: number).readToEnd()
        return String(decoding: bytes ?? [], as: UTF8.self)
    }

    private static func taken(_ variable: String) -> String? {
        defer { unsetenv(variable) }
        return Environment[variable]
    }
}
