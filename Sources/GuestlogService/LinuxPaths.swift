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

    /// Throws when these folders cannot be created, or nothing in them. Changes nothing.
    static func check(_ configuration: Configuration) throws(SystemError) {
        for folder in [configuration.runtime, folder(of: configuration.socket)].compactMap(\.self) {
            do throws(SystemError) {
                try FolderAccess.check(folder)
            } catch  where error.code == ENOSPC {
                // A full file system may have room later.
            }
        }
    }

    /// Creates the folder of the file at `path`, with its parents.
    static func makeFolder(of path: String) throws(SystemError) {
        if let folder = folder(of: path) {
            try makeAll(folder)
        }
    }

    /// The folder of the file at `path`, unless it is the root or the working directory.
    private static func folder(of path: String) -> String? {
        path.lastIndex(of: "/").flatMap { $0 > path.startIndex ? String(path[..<$0]) : nil }
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
