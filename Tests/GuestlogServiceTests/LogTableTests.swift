// SPDX-License-Identifier: Apache-2.0

import LogModel
import SystemIO
import TestSupport
import TestTraits
import Testing
import VirtLogManager

@testable import GuestlogService

@Suite(.blocking) struct LogTableTests {
    private let folder = TemporaryFolder()

    private func makeTable() -> LogTable {
        LogTable(in: folder.path + "/held", service: ServiceManager(address: nil))
    }

    private func log(_ path: String, _ descriptor: Int32 = 0) -> LogManager.InheritedLog {
        let owner = LogOwner(driver: "qemu", uuid: "2614bd12-833f-4016-be72-d82c29d2e247", name: "web")
        return LogManager.InheritedLog(owner: owner, path: path, stream: .console0, descriptor: descriptor)
    }

    private var entries: [String] {
        get throws { try LinuxFileSystem().names(in: folder.path + "/held").sorted() }
    }

    @Test("the next process finds its logs by short names; logs without a descriptor are forgotten")
    func restart() throws {
        let table = makeTable()
        for path in ["/logs/a", "/logs/b", "/logs/c"] {
            table.put(log(path))
        }
        table.remove("/logs/b")
        #expect(table.name(of: "/logs/a") == "l1" && table.name(of: "/logs/c") == "l3")
        let next = makeTable()
        #expect(next.ownsName("l1") && !next.ownsName("virtlogd.socket"))
        let logs = next.load(["l1": 7])
        #expect(logs.map(\.path) == ["/logs/a"] && logs.map(\.descriptor) == [7])
        #expect(next.name(of: "/logs/a") == "l1")
        #expect(try entries == ["l1.json"])
    }

    @Test("names that an earlier version has given are continued, and replaced by short ones")
    func formerNames() throws {
        let name = "log-1f2e3d4c5b6a7988"
        try LinuxFileSystem().makeDirectory(folder.path + "/held")
        let entry = LogManagerState.log(log("/logs/a")).bytes
        try LinuxFileSystem().replace(name + ".json", in: folder.path + "/held", with: entry)
        let table = makeTable()
        #expect(table.ownsName(name))
        #expect(table.load([name: 7]).map(\.path) == ["/logs/a"])
        // What its keeper has discarded is listed by this name.
        #expect(table.name(of: "/logs/a") == name)
        table.put(log("/logs/a", 7))
        #expect(try entries == ["l1.json"])
    }

    @Test("the next image of the process keeps the names of its logs, and forgets the others")
    func replacement() throws {
        let table = makeTable()
        for path in ["/logs/a", "/logs/b"] {
            table.put(log(path))
        }
        let next = makeTable()
        next.adopt([log("/logs/b", 9)])
        #expect(next.name(of: "/logs/b") == "l2")
        #expect(try entries == ["l2.json"])
    }
}
