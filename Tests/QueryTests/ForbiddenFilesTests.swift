// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import LogStore
import Query
import SystemIO
import TestSupport
import TestTraits
import Testing

/// What a user sees of a store of which not everything may be read.
@Suite(.blocking) struct ForbiddenFilesTests {
    private let sample: SampleStore
    private let files = FaultyFileSystem()
    private let forbidden = ForbiddenFiles()

    init() throws {
        sample = try SampleStore()
        for (number, name) in ["big", "web"].enumerated() {
            try sample.add(name)
            try sample.append("\(name) early\n", vm: number)
            try sample.roll(vm: number)
            try sample.seal(vm: number)
            try sample.synchronize()
            try sample.append("\(name) late\n", vm: number, after: 1_000_000)
        }
        sample.release()
    }

    private var store: Store { Store(root: sample.store.root, fileSystem: files).leavingOut(forbidden) }

    private func text(_ change: (inout Selection) -> Void = { _ in }) throws -> String {
        var request = LogRequest()
        request.all = true
        request.rendering.prefix = false
        change(&request.selection)
        return try request.open(store, now: sample.now).text()
    }

    private func path(_ suffix: String) throws -> String {
        let folder = sample.store.root + "/big/console0"
        let name = try #require(LinuxFileSystem().names(in: folder).first { $0.hasSuffix(suffix) })
        return folder + "/" + name
    }

    @Test("a file that may not be read is left out by name, and all else is shown")
    func file() throws {
        let segment = try path(".zst")
        files.forbid([segment])
        let shown = try text()
        for line in ["big late", "web early", "web late"] {
            #expect(shown.contains(line + "\n"), "\(shown)")
        }
        #expect(!shown.contains("big early"))
        #expect(forbidden.errors.map(\.subject) == [segment])
        #expect(forbidden.errors.allSatisfy { $0.code == EACCES })
        #expect(forbidden.takeNew().map(\.subject) == [segment])
        #expect(try text { $0.tail = 1 } == "web late\n")
        #expect(forbidden.takeNew().isEmpty && !forbidden.errors.isEmpty)
    }

    @Test("a folder of a stream or a VM that may not be read is left out by name")
    func folder() throws {
        for path in ["/big/console0", "/big"] {
            files.forbid([sample.store.root + path])
            #expect(try text() == "web early\nweb late\n")
            #expect(forbidden.errors.contains { $0.subject == sample.store.root + path })
        }
    }

    @Test("a VM whose folder may not be read does not make the results of others incomplete")
    func hiddenVM() throws {
        files.forbid([sample.store.root + "/big", sample.store.root + "/big/vm.json"])
        #expect(try store.vms().map(\.directory) == ["web"])
        #expect(forbidden.errors.isEmpty)
    }

    @Test("verify checks what may be read")
    func verify() throws {
        files.forbid([try path(".zst")])
        for vm in try store.vms() {
            let found = try StoreCheck(store).check(vm)
            #expect(found.damages.isEmpty && found.streams.allSatisfy(\.damages.isEmpty))
            #expect(found.streams.count == (vm.directory == "big" ? 0 : 1))
        }
        #expect(forbidden.errors.count == 1)
    }

    @Test("a file that may not be read is a problem, and no damage")
    func report() throws {
        files.forbid([try path(".zst")])
        let vm = try #require(store.vms().first)
        let report = VMReport(of: vm, in: store)
        #expect(report.problem?.hasSuffix("Permission denied") == true && report.textBytes == 9)
        #expect(VMListing(vm: vm, report: report).state == "stored")
    }

    @Test("a store that leaves nothing out throws the error")
    func strict() throws {
        files.forbid([try path(".zst")])
        var request = LogRequest()
        request.all = true
        #expect(throws: SystemError.self) {
            _ = try request.open(Store(root: sample.store.root, fileSystem: files), now: sample.now).text()
        }
    }
}
