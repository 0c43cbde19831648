// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO
import TestSupport
import TestTraits
import Testing
import VirtLogManager

@testable import GuestlogService

/// The file with the log daemon's state that one image leaves to the next.
@Suite(.blocking) struct LeftStateTests {
    private let folder = TemporaryFolder()

    private var path: String { folder.path + "/state.json" }

    /// Leaves a state for `process`.
    private func leave(for process: Int32) throws {
        let file = try StoredFile(path, .create, on: LinuxFileSystem())
        try file.truncate(to: 0)
        try file.write(at: 0, LogManagerState(sockets: [7], logs: []).text(for: process))
    }

    private var isLeft: Bool { access(path, F_OK) == 0 }

    @Test("a process takes its own state once")
    func own() throws {
        try LogManagerState(sockets: [7], logs: []).write(to: path)
        #expect(LogManagerState(leftAt: path)?.sockets == [7])
        #expect(!isLeft && LogManagerState(leftAt: path) == nil)
    }

    @Test("the state of an ended process is removed, that of a running one stays")
    func others() throws {
        let child = try ChildProgram(["sleep", "1000"])
        let process = child.process
        try leave(for: process)
        #expect(LogManagerState(leftAt: path) == nil)
        #expect(isLeft, "it is about to be taken")
        child.send(SIGKILL)
        _ = child.wait()
        #expect(LogManagerState(leftAt: path) == nil)
        #expect(!isLeft, "a later process with this number would take it")
    }
}
