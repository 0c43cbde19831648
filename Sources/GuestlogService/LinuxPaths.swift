// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO

/// Creates the folders that the daemon needs before it can begin.
public enum LinuxPaths {
    /// Creates the runtime folder and the socket's folder, with their parents. The store's folder is created on a
    /// thread that may wait for its disk.
    public static func prepare(_ configuration: Configuration) throws(SystemError) {
        try makeAll(configuration.runtime)
        try makeFolder(of: configuration.socket)
    }

    /// Creates the folder of the file at `path`, with its parents.
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
