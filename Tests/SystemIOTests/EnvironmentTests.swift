// SPDX-License-Identifier: Apache-2.0

import Glibc
import TestTraits
import Testing

@testable import SystemIO

@Suite struct EnvironmentTests {
    @Test("an empty variable is one that is not set")
    func empty() {
        setenv("GUESTLOG_TEST_VARIABLE", "", 1)
        defer { unsetenv("GUESTLOG_TEST_VARIABLE") }
        #expect(Environment["GUESTLOG_TEST_VARIABLE"] == nil)
        setenv("GUESTLOG_TEST_VARIABLE", "a b", 1)
        #expect(Environment["GUESTLOG_TEST_VARIABLE"] == "a b")
    }

    @Test("levels are for the journal's own stream, not for what inherited its variable")
    func journalStream() throws {
        let journal = try Descriptor.pipe()
        let other = try Descriptor.pipe()
        let identity = try FileAttributes(of: journal.first.raw).identity
        let variable = "\(identity.device):\(identity.inode)"
        #expect(JournalStream.isConnected(to: journal.first.raw, variable: variable))
        #expect(!JournalStream.isConnected(to: other.first.raw, variable: variable))
        for invalid in [nil, "", "1", "a:b", "\(variable):", "\(variable):1"] {
            #expect(!JournalStream.isConnected(to: journal.first.raw, variable: invalid))
        }
    }
}
