// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import SystemIO

/// A user of /etc/passwd, with the groups of /etc/group. A statically linked program cannot ask other sources.
struct UserAccount: Equatable {
    let user: UInt32
    let group: UInt32
    /// The other groups that the user is a member of.
    let otherGroups: [UInt32]

    /// Finds the user in the text of /etc/passwd (passwd(5)), and as a member in that of /etc/group (group(5)).
    init?(named name: String, in text: [UInt8], groups: [UInt8] = []) {
        for line in text.split(separator: Lines.feed) {
            let fields = line.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
            guard fields.count >= 4, fields[0].elementsEqual(name.utf8),
                let user = UInt32(String(decoding: fields[2], as: UTF8.self)),
                let group = UInt32(String(decoding: fields[3], as: UTF8.self))
            else {
                continue
            }
            (self.user, self.group) = (user, group)
            otherGroups = Self.groups(of: name, in: groups)
            return
        }
        return nil
    }

    private static func groups(of name: String, in text: [UInt8]) -> [UInt32] {
        text.split(separator: Lines.feed).compactMap { line in
            let fields = line.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
            guard fields.count == 4,
                fields[3].split(separator: UInt8(ascii: ",")).contains(where: { $0.elementsEqual(name.utf8) })
            else {
                return nil
            }
            return UInt32(String(decoding: fields[2], as: UTF8.self))
        }
    }

    init(named name: String) throws {
        let text = try LinuxFileSystem().contents(of: "/etc/passwd") ?? []
        let groups = try LinuxFileSystem().contents(of: "/etc/group") ?? []
        guard let account = UserAccount(named: name, in: text, groups: groups) else {
            throw UsageError("--user \(name): there is no such user in /etc/passwd")
        }
        self = account
    }

    /// Whether the permissions of the file at `path` allow this user to read it. Access control lists are not considered.
    func mayRead(_ path: String) -> Bool {
        guard let file = FileAttributes(at: path) else {
            return false
        }
        let isMember = file.group == group || otherGroups.contains(file.group)
        let needed: UInt32 = file.owner == user ? 0o400 : isMember ? 0o040 : 0o004
        return user == 0 || file.permissions & needed != 0
    }

    /// Runs as this user from now on, with the user's groups only. Its folder for the agent's state is created before.
    func become(owning folder: String) throws(SystemError) {
        try? LinuxFileSystem().makeDirectories(folder)
        _ = chown(folder, user, group)
        try systemCall("setgroups") { setgroups(otherGroups.count, otherGroups) }
        try systemCall("setgid") { setgid(group) }
        try systemCall("setuid") { setuid(user) }
    }
}
