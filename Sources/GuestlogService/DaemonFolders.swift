// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO

/// The folders that the daemon needs before it can begin.
public enum DaemonFolders {
    /// Creates the runtime folder and the folder of the API's socket, with their parents. The store's folder is created on
    /// a thread that may wait for its disk.
    public static func prepare(_ configuration: Configuration) throws(SystemError) {
        try UnixSocket.check(path: configuration.socket)
        try prepareRuntime(configuration)
        try makeFolder(of: configuration.socket)
    }

    /// Creates the runtime folder with its parents, for a daemon without the API.
    public static func prepareRuntime(_ configuration: Configuration) throws(SystemError) {
        try LinuxFileSystem().makeDirectories(configuration.runtime)
    }

    /// Throws when a daemon could not create `folder`, or nothing in it, or not listen at `socket`. Changes nothing.
    static func check(_ folder: String, socket: String) throws(SystemError) {
        try UnixSocket.check(path: socket)
        if let found = try? FileAttributes(following: socket), found.kind != .socket {
            throw SystemError("listen", socket, code: EEXIST, reason: "it is \(found.kind), not a socket")
        }
        for folder in [folder, DirectoryHandle.split(socket).directory] {
            do throws(SystemError) {
                try FolderAccess.check(folder)
            } catch  where error.code == ENOSPC {
                // A full file system may have room later.
            }
        }
    }

    /// Creates the folder of the file at `path`, with its parents.
    static func makeFolder(of path: String) throws(SystemError) {
        try LinuxFileSystem().makeDirectories(DirectoryHandle.split(path).directory)
    }
}
