// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Whether a process could write to a folder; nothing is left in it.
public enum FolderAccess {
    /// Throws when the calling thread could not create files in the folder at `path`, or, when it does not exist,
    /// create the folder.
    public static func check(_ path: String) throws(SystemError) {
        let folder = nearestExisting(path)
        guard try FileAttributes(following: folder).isDirectory else {
            throw SystemError("create a file in", folder, code: ENOTDIR)
        }
        do throws(SystemError) {
            _ = try Descriptor.unnamedFile(in: folder)
        } catch  where [EOPNOTSUPP, EISDIR].contains(error.code) {
            // The file system has no such files (open(2)). Permissions alone would not tell: root has them in /proc.
            try tryFolder(in: folder)
        }
    }

    /// Creates a folder in `folder`, and removes it.
    private static func tryFolder(in folder: String) throws(SystemError) {
        var name = Array((folder + "/.guestlog-check.XXXXXX").utf8CString)
        guard mkdtemp(&name) != nil else {
            throw SystemError("create a folder in", folder)
        }
        rmdir(name)
    }

    /// The folder itself, or the nearest one above it that exists.
    private static func nearestExisting(_ path: String) -> String {
        var folder = path
        while folder != ".", access(folder, F_OK) != 0, errno == ENOENT {
            folder = DirectoryHandle.split(folder).directory
        }
        return folder
    }
}
