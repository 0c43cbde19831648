// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import RotatingFile
import SystemIO

/// The file that keeps the position over restarts. It is replaced as a whole, and not synced: it serves restarts of the
/// container, not of the host, after which the log is another.
struct StateFile {
    let path: String
    private let folder: String
    private let name: String

    /// The file for the log at `logFile`; the folder is created when its parent exists.
    init(for logFile: String, in folder: String) {
        let digits = String(logFile.stableHash(), radix: 16)
        let log = DirectoryHandle.split(logFile).name
        self.folder = folder
        name = "\(log)-\(String(repeating: "0", count: 16 - digits.utf8.count))\(digits).position"
        path = folder + "/" + name
        mkdir(folder, 0o750)
    }

    /// What the file has.
    enum Contents: Equatable {
        case absent
        case position(FollowPosition)
        /// It has no position.
        case invalid
    }

    func read() throws(SystemError) -> Contents {
        let file: Descriptor
        do throws(SystemError) {
            file = try DirectoryHandle(folder).openRegular(name, O_RDONLY)
        } catch {
            guard error.code == SystemError.notFound else {
                throw error
            }
            return .absent
        }
        var bytes = [UInt8](repeating: 0, count: FollowPosition.longestText + 2)
        let number = file.raw
        let count = try systemCall("read", path) { Glibc.read(number, &bytes, bytes.count) }
        guard count > 0, bytes[count - 1] == Lines.feed, let position = FollowPosition(text: bytes[..<(count - 1)])
        else {
            return .invalid
        }
        return .position(position)
    }

    func write(_ position: FollowPosition) throws(SystemError) {
        let folder = try DirectoryHandle(folder)
        let bytes = Array(position.text.utf8) + [Lines.feed]
        let temporary = name + ".new"
        let file = try folder.openRegular(temporary, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o640)
        let number = file.raw
        let count = try systemCall("write", path) { Glibc.write(number, bytes, bytes.count) }
        guard count == bytes.count else {
            throw SystemError("write", path, code: ENOSPC)
        }
        try folder.rename(temporary, to: name)
    }
}
