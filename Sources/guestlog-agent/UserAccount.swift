// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import SystemIO

/// A user of /etc/passwd. A statically linked program cannot ask other sources.
struct UserAccount: Equatable {
    let user: UInt32
    let group: UInt32

    /// Finds the user in the text of /etc/passwd (passwd(5)).
    init?(named name: String, in text: [UInt8]) {
        for line in text.split(separator: Lines.feed) {
            let fields = line.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
            guard fields.count >= 4, fields[0].elementsEqual(name.utf8),
                let user = UInt32(String(decoding: fields[2], as: UTF8.self)),
                let group = UInt32(String(decoding: fields[3], as: UTF8.self))
            else {
                continue
            }
            (self.user, self.group) = (user, group)
            return
        }
        return nil
    }

    init(named name: String) throws {
        let text = try LinuxFileSystem().contents(of: "/etc/passwd") ?? []
        guard let account = UserAccount(named: name, in: text) else {
            throw UsageError("--user \(name): there is no such user in /etc/passwd")
        }
        self = account
    }

    /// Whether the permissions of the file at `path` allow this user to read it. Access control lists are not considered.
    func mayRead(_ path: String) -> Bool {
        guard let file = FileAttributes(at: path) else {
            return false
        }
        let needed: UInt32 = file.owner == user ? 0o400 : file.group == group ? 0o040 : 0o004
        return user == 0 || file.permissions & needed != 0
    }

    /// Runs as this user from now on, without other groups. Its folder for the agent's state is created before.
    func become(owning folder: String) throws(SystemError) {
        try? LinuxFileSystem().makeDirectories(folder)
        _ = chown(folder, user, group)
        try systemCall("setgroups") { setgroups(0, nil) }
        try systemCall("setgid") { setgid(group) }
        try systemCall("setuid") { setuid(user) }
    }
}
