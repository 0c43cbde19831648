// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

/// Named descriptors that a process starts with, from the service manager or from the previous image of this process.
public enum PassedDescriptors {
    /// The process, and `NUMBER=NAME` for each descriptor, separated by colons.
    private static let variable = "GUESTLOG_PASSED"

    /// Keeps `descriptors` open over an exec of this process, with their numbers: other threads still use all other
    /// numbers until the exec has ended them, and must not write to a guest. Names contain no colon.
    ///
    /// All others are closed by the exec, so that their peers see the end.
    public static func pass(_ descriptors: [(name: String, descriptor: Int32)]) {
        gl_close_on_exec()
        for (_, descriptor) in descriptors {
            _ = gl_fcntl(descriptor, F_SETFD, 0)
        }
        let words = descriptors.map { "\($0.descriptor)=\($0.name)" }
        setenv(variable, ([String(getpid())] + words).joined(separator: ":"), 1)
    }

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
        let names = taken("LISTEN_FDNAMES")?.split(separator: ":", omittingEmptySubsequences: false) ?? []
        let process = taken("LISTEN_PID").flatMap { Int32($0) }
        let count = taken("LISTEN_FDS").flatMap { Int($0) } ?? 0
        guard process == getpid() else {
            return []
        }
        return (0..<max(0, count)).map { place in
            let name = place < names.count && !names[place].isEmpty ? String(names[place]) : "unknown"
            return (Int32(3 + place), name)
        }
    }

    private static func fromOurselves() -> [(Int32, String)] {
        guard let words = taken(variable)?.split(separator: ":"), words.first.flatMap({ Int32($0) }) == getpid() else {
            return []
        }
        return words.dropFirst().compactMap { word in
            let number = word.prefix { $0 != "=" }
            let name = word.dropFirst(number.count + 1)
            return Int32(number).map { ($0, name.isEmpty ? "unknown" : String(name)) }
        }
    }

    private static func taken(_ variable: String) -> String? {
        defer { unsetenv(variable) }
        return getenv(variable).map { String(cString: $0) }
    }
}
