// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import SystemIO

/// The path of a log. It comes from libvirtd, and so from every user who may define a domain.
///
/// Two spellings of one path are one log: repeated slashes and `.` are removed. Below the folder that the administrator
/// allows, symbolic links are refused: other users may write there, as nova's user may.
struct LogPath: Hashable {
    /// The normalized path.
    @Bytewise private(set) var text: String
    /// The allowed folder with the file, in whose path links are followed; nil: every folder is allowed.
    @Bytewise private(set) var allowedFolder: String?

    /// The path `text`, if it is below one of the folders `allowed` by `setting`; nil: any.
    init(
        _ text: String,
        below allowed: [String]?,
        setting: String = LogManager.Options.allowedKey
    ) throws(LogManagerError) {
        let names = text.utf8.split(separator: UInt8(ascii: "/"))
        guard text.utf8.first == UInt8(ascii: "/"), !names.contains(where: { $0.elementsEqual("..".utf8) }) else {
            throw .invalidArgument("a log's path must be absolute, without '..': \(text)")
        }
        let path = DirectoryHandle.normalized(text)
        self.text = path
        allowedFolder = nil
        guard let allowed else {
            return
        }
        let folder = allowed.map(DirectoryHandle.normalized).first { folder in
            path.utf8.starts(with: (folder == "/" ? folder : folder + "/").utf8)
        }
        guard let folder else {
            let remedy = "add its folder to \(setting), then send SIGUSR1 to the log daemon"
            let folders = allowed.joined(separator: ", ")
            throw .system("Cannot open log file: '\(text)' is not below \(folders); \(remedy)", EACCES)
        }
        allowedFolder = folder
    }

    /// The path of a log that an earlier process has opened, which is accepted whatever is allowed now: it belongs to a
    /// running guest.
    init(inherited text: String, below allowed: [String]?) {
        do throws(LogManagerError) {
            self = try LogPath(text, below: allowed)
        } catch {
            self.text = text
            allowedFolder = nil
        }
    }

    /// The answer to a client when the file, or its folder, cannot be opened because of `error`.
    func refusal(_ error: SystemError) -> LogManagerError {
        let isLink = error.code == ELOOP && allowedFolder != nil
        let rule = allowedFolder.map { "links are refused below \($0): use the path without links" }
        return .system("Unable to open file: \(text)", error.code, hint: isLink ? rule : nil)
    }

    var name: String { DirectoryHandle.split(text).name }

    /// The directory of the file and its backups.
    func directory() throws(SystemError) -> DirectoryHandle {
        try DirectoryHandle(DirectoryHandle.split(text).directory, trusted: allowedFolder)
    }

    /// The file at the path; nil when there is none, or a link leads there.
    var attributes: FileAttributes? {
        guard let directory = try? directory() else {
            return nil
        }
        return directory.attributes(of: name)
    }
}
