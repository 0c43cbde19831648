// SPDX-License-Identifier: Apache-2.0

import Glibc
import TestSupport
import TestTraits
import Testing

@testable import GuestlogService

@Suite(.blocking) struct RunNameTests {
    private let folder = TemporaryFolder()

    private func claim(_ name: String) throws -> RunName {
        try RunName(name, in: folder.path + "/store", runtime: folder.path + "/run/guestlog")
    }

    @Test("a claimed name is refused until it is given up, and the process that has it is named")
    func claims() throws {
        var first: RunName? = try claim("web")
        #expect(first?.name == "web")
        let error = #expect(throws: ForegroundRun.Busy.self) { try claim("web") }
        #expect(error?.description.contains("process \(getpid()) ") ?? false)
        #expect(try claim("other").name == "other")
        first = nil
        #expect(try claim("web").name == "web")
        #expect(access(folder.path + "/run/guestlog/name-web", F_OK) != 0)
    }

    @Test("a default name that is in use is followed by the process's number")
    func defaultName() throws {
        let (store, runtime) = (folder.path + "/store", folder.path + "/run/guestlog")
        let command = ["/usr/bin/qemu-system-x86_64", "-nographic"]
        let first = try RunName.claim(like: command, in: store, runtime: runtime)
        let second = try RunName.claim(like: command, in: store, runtime: runtime)
        #expect(first.name == "qemu-system-x86_64")
        #expect(second.name == "qemu-system-x86_64-\(getpid())")
    }
}
