// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO
import TestSupport
import Testing

@testable import guestlog_agent

@Suite struct UserAccountTests {
    @Test("a user is found in /etc/passwd")
    func users() {
        let text = Array("root:x:0:0:root:/root:/bin/sh\nlog:x:101:102::/:/bin/false\nbad:x:y:z::/:\n".utf8)
        #expect(UserAccount(named: "log", in: text).map { [$0.user, $0.group] } == [101, 102])
        #expect(UserAccount(named: "bad", in: text) == nil && UserAccount(named: "lo", in: text) == nil)
    }

    @Test("a user's other groups are those of /etc/group that name the user as a member")
    func groups() {
        let groups = "root:x:0:\nlog:x:102:\njournal:x:7:adm,log\nadm:x:4:adm,logs\nbad:x:y:log\nraw:x:9:log"
        let users = Array("log:x:101:102::/:/bin/false\n".utf8)
        let account = UserAccount(named: "log", in: users, groups: Array(groups.utf8))
        #expect(account?.otherGroups == [7, 9])
    }

    @Test("a file's permissions say whether another user may read it")
    func readable() throws {
        let folder = TemporaryFolder()
        let path = folder.path + "/file"
        close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600))
        let file = try #require(FileAttributes(at: path))
        func mayRead(_ user: UInt32, _ group: UInt32, _ permissions: UInt32, other: UInt32? = nil) -> Bool? {
            chmod(path, permissions)
            let groups = other.map { "journal:x:\($0):y,x\n" } ?? ""
            return UserAccount(named: "x", in: Array("x:x:\(user):\(group):".utf8), groups: Array(groups.utf8))?
                .mayRead(path)
        }
        #expect(mayRead(file.owner + 1, file.group + 1, 0o640) == false)
        #expect(mayRead(file.owner + 1, file.group, 0o640) == true)
        #expect(mayRead(file.owner + 1, file.group + 1, 0o640, other: file.group) == true)
        #expect(mayRead(file.owner + 1, file.group + 1, 0o604, other: file.group) == false)
        #expect(mayRead(file.owner + 1, file.group + 1, 0o644) == true)
    }
}
