// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO

/// The folders that the daemon needs before it can begin.
public enum DaemonFolders {
    /// Creates the runtime folder and the socket's folder, with their parents. The store's folder is created on a
    /// thread that may wait for its disk.
    public static func prepare(_ configuration: Configuration) throws(SystemError) {
        try LinuxFileSystem().makeDirectories(configuration.runtime)
        try makeFolder(of: configuration.socket)
    }

    /// Throws when these folders cannot be created, or nothing in them. Changes nothing.
    static func check(_ configuration: Configuration) throws(SystemError) {
        for folder in [configuration.runtime, DirectoryHandle.split(configuration.socket).directory] {
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
