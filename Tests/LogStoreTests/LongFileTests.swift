// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import LogStore

/// Files that have become much longer than the store makes them, with a hole at the end: a crash of some file systems
/// leaves them so, and a mistaken truncate(1) or rsync(1).
@Suite(.blocking) struct LongFileTests {
    private let folder = TemporaryFolder()

    /// Sets the length of the file at `path` to a terabyte; nothing is allocated for it.
    private func lengthen(_ path: String) {
        #expect(truncate(path, 1 << 40) == 0, "\(path): \(String(cString: strerror(errno)))")
    }

    private func damages(_ store: Store) throws -> [String] {
        try store.vms().flatMap { vm in
            let found = try StoreCheck(store).check(vm)
            return (found.damages + found.streams.flatMap(\.damages)).map(\.path)
        }
    }

    @Test(
        "a file of a log with a hole at its end is read and continued, is damage, and counts as what is allocated",
        arguments: [".log.zst", ".log", ".idx"],
        ["boot-1", "boot-2"]
    )
    func log(suffix: String, boot: String) throws {
        let fixture = try StoreFixture(root: folder.path)
        try fixture.append("one\n")
        fixture.writer.roll()
        try fixture.sealAndSync()
        try fixture.sealer.synchronize()
        try fixture.append("two\n")
        let name = try #require(fixture.names().last { $0.hasSuffix(suffix) })
        lengthen(fixture.writer.path + "/" + name)
        #expect(try fixture.read().text == "one\ntwo\n")
        #expect(try fixture.reader.summaries().count == 2)
        #expect(try fixture.store.usage(of: "web") < 1 << 20)
        fixture.close()
        #expect(try damages(fixture.store) == ["web/console0/" + name])
        let limits = VacuumLimits(bytes: 1 << 30)
        #expect(
            try fixture.retention.vacuum(fixture.store.vms(), to: limits, now: fixture.clock.time) == Retention.Freed()
        )
        try fixture.restart(hostBoot: boot)
        try fixture.append("three\n")
        fixture.writer.roll()
        try fixture.sealAndSync()
        try fixture.sealer.synchronize()
        #expect(try fixture.read().text == "one\ntwo\nthree\n")
        try fixture.append("four\n")
        #expect(try fixture.read().text == "one\ntwo\nthree\nfour\n")
    }

    @Test("a closed segment with a hole behind its index is read")
    func closedSegment() throws {
        let fixture = try StoreFixture(root: folder.path, quota: Quota(bytes: 800_000))
        let text = (0..<300_000).map { _ in UInt8.random(in: 33...126) }
        try fixture.pour(text)
        fixture.writer.roll()
        try fixture.sealAndSync()
        let first = fixture.layout.segment(0)
        #expect(try SegmentFile(path: first, fileSystem: fixture.store.fileSystem).isClosed)
        lengthen(first)
        #expect(try fixture.read().bytes == text)
        fixture.close()
        #expect(try damages(fixture.store) == ["web/console0/" + StreamLayout.name(0, ".log.zst")])
    }

    @Test(
        "a file of metadata that is too long is damage, the log is read and continued, and the file is written again",
        arguments: ["vm.json", "writer.json", "console0/meta.json", "console0/extents.json"]
    )
    func metadata(name: String) throws {
        let fixture = try StoreFixture(root: folder.path)
        try fixture.append("one\n")
        fixture.writer.roll()
        try fixture.sealAndSync()
        try fixture.sealer.synchronize()
        try fixture.vm.closeCleanly()
        fixture.close()
        let path = folder.path + "/web/" + name
        lengthen(path)
        #expect(try damages(fixture.store) == ["web/" + name])
        #expect(try fixture.read().text == "one\n")
        try fixture.restart()
        try fixture.append("two\n")
        #expect(try fixture.read().text == "one\ntwo\n")
        fixture.writer.roll()
        try fixture.sealAndSync()
        try fixture.vm.closeCleanly()
        fixture.close()
        let left = try damages(fixture.store)
        #expect(left.isEmpty, "\(left)")
        #expect(try FileAttributes(following: path).size < 4096)
    }

    @Test("a link in the place of a folder is damage")
    func links() throws {
        let fixture = try StoreFixture(root: folder.path)
        try fixture.append("one\n")
        try fixture.vm.closeCleanly()
        fixture.close()
        #expect(symlink("web", folder.path + "/db") == 0)
        #expect(try StoreCheck(fixture.store).checkStore().map(\.path) == ["db"])
        #expect(rename(folder.path + "/web/console0", folder.path + "/web/moved") == 0)
        #expect(symlink("moved", folder.path + "/web/console0") == 0)
        #expect(try damages(fixture.store) == ["web/console0"])
    }
}
