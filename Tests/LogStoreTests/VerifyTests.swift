// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import LogStore

/// The store's check: it finds every damage that changes what readers get, in any file.
@Suite(.blocking) struct VerifyTests {
    private static let stream = StreamID(vm: "web", stream: .console0)

    /// A store with every kind of file: boot heads, closed segments, a growing one, a pair, metadata.
    private static func everyKind(isClosed: Bool) throws -> SimulatedFileSystem {
        let files = SimulatedFileSystem(seed: 1)
        files.shortensWrites = false
        let fixture = try StoreFixture(root: "/store", fileSystem: files, quota: Quota(bytes: 60_000))
        for step in 0..<60 {
            if step % 12 == 0 {
                try fixture.mark(.powerOn)
                try fixture.append("boot number \(step / 12)\n")
            }
            try fixture.append(consoleText(9000, from: step * 1000))
            fixture.writer.roll()
            try fixture.sealAndSync()
        }
        try fixture.markGap(77)
        for line in 0..<20 { try fixture.append("line \(line) of what is being written\n") }
        if isClosed {
            try fixture.sealer.synchronize()
            try fixture.vm.closeCleanly()
        }
        files.processDies()
        return files
    }

    /// Everything that a reader gets of the store.
    private struct View: Equatable {
        var vms: [Store.VM]
        var properties: StreamProperties
        var text: [UInt8] = []
        var runs: [Range<UInt64>] = []
        var markers: [Reading.Piece] = []
        var missing: [Batch.Missing] = []
        var lostEnd: UInt64??

        init(_ store: Store) throws {
            vms = try store.vms()
            properties = store.properties(of: VerifyTests.stream)
            guard try store.vms().contains(where: { $0.directory == "web" }) else { return }
            let reader = store.reader(of: VerifyTests.stream)
            let follower = StreamBatches(reader)
            let reading = try Reading(follower)
            (text, runs, markers, missing) = (reading.bytes, reading.runs, reading.markers, reading.missing)
            lostEnd = reader.lostEnd(after: follower.cursor).map(\.bytes)
        }
    }

    private static func damages(_ store: Store) throws -> [Damage] {
        try store.vms().flatMap { vm in
            let found = try StoreCheck(store).check(vm)
            return found.damages + found.streams.flatMap(\.damages)
        }
    }

    @Test("a VM that was removed since it was listed is skipped")
    func removedMeanwhile() throws {
        let folder = TemporaryFolder()
        let store = Store(root: folder.path)
        let vm = try VMStore(store: store, name: "gone", hostBoot: "x", now: Timestamp(microseconds: 5)).vm
        let path = store.path(of: vm.directory)
        for name in try LinuxFileSystem().names(in: path) {
            try LinuxFileSystem().remove(path + "/" + name)
        }
        try LinuxFileSystem().removeDirectory(path)
        let found = try StoreCheck(store).check(vm)
        #expect(found.damages.isEmpty && found.streams.isEmpty)
    }

    private enum Blow: CaseIterable {
        case bit, bits, cut, zeros, garbage, longer, swapped, emptied, removed, repeated, folder, other, unreadable
    }

    /// Damages one file of `files` and returns a description.
    private static func strike(_ files: SimulatedFileSystem, _ random: inout SeededGenerator) throws -> String {
        let path = try #require(files.files.filter { !$0.hasSuffix("lock") }.randomElement(using: &random))
        let blow = try #require(Blow.allCases.randomElement(using: &random))
        var bytes = files[path] ?? []
        let from = bytes.isEmpty ? 0 : Int.random(in: 0..<bytes.count, using: &random)
        let to = min(bytes.count, from + ([1, 16, 512, 4096].randomElement(using: &random) ?? 1))
        switch blow {
        case .bit where !bytes.isEmpty: bytes[from] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case .bits where !bytes.isEmpty:
            for _ in 0..<40 {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            }
        case .cut: bytes.removeLast(bytes.count - from)
        case .zeros: bytes.replaceSubrange(from..<to, with: repeatElement(0, count: to - from))
        case .garbage:
            bytes.replaceSubrange(from..<to, with: (from..<to).map { _ in UInt8.random(in: 0...255, using: &random) })
        case .longer: bytes += (0..<900).map { _ in UInt8.random(in: 0...255, using: &random) }
        case .swapped where bytes.count > 64:
            let (a, b) = (from / 32 * 32, Int.random(in: 0..<bytes.count / 32, using: &random) * 32)
            for offset in 0..<32 where a + offset < bytes.count && b + offset < bytes.count {
                bytes.swapAt(a + offset, b + offset)
            }
        case .emptied: bytes = []
        case .repeated: bytes.insert(contentsOf: bytes[max(0, from - 4096)..<from], at: from)
        case .other: bytes = files.files.randomElement(using: &random).flatMap { files[$0] } ?? []
        case .removed: files[path] = nil
        case .folder: files.putFolder(at: path)
        case .unreadable: files.spoil(path)
        default: break
        }
        if ![.removed, .folder, .unreadable].contains(blow) {
            files[path] = bytes
        }
        return "\(blow) \(path)"
    }

    @Test("after any damage to one file, the check finds it or readers get exactly what they got before")
    func findsAll() throws {
        let rounds = getenv("GUESTLOG_HISTORIES").flatMap { Int(String(cString: $0)) } ?? 600
        let bases = [try Self.everyKind(isClosed: true), try Self.everyKind(isClosed: false)]
        var harmless = 0
        for seed in 1...UInt64(min(rounds, 20_000)) {
            let files = bases[Int(seed % 2)].copy(seed: seed)
            let store = Store(root: "/store", fileSystem: files)
            let whole = try View(store)
            #expect(try Self.damages(store).isEmpty)
            var random = SeededGenerator(seed: seed)
            let what = try Self.strike(files, &random)
            let view = try View(store)
            let found = try Self.damages(store)
            harmless += found.isEmpty ? 1 : 0
            #expect(!found.isEmpty || view == whole, "seed \(seed): \(what)")
            #expect(found.allSatisfy { !$0.path.isEmpty && !$0.problem.isEmpty && !$0.remedy.isEmpty })
            #expect(
                view.text.isEmpty || Self.isPart(view, of: whole) || what.contains(".log") || what.contains(".idx"),
                "seed \(seed): \(what)"
            )
            try Self.appendAfterDamage(store, "seed \(seed): \(what)")
        }
        #expect(harmless < rounds / 4, "\(harmless) of \(rounds) changed nothing")
    }

    /// Whether each byte read was there before, at its position.
    private static func isPart(_ view: View, of whole: View) -> Bool {
        var (at, from) = (0, 0)
        for run in view.runs {
            from = 0
            for other in whole.runs {
                if other.lowerBound <= run.lowerBound, run.upperBound <= other.upperBound {
                    let start = from + Int(run.lowerBound - other.lowerBound)
                    guard whole.text[start..<start + run.count].elementsEqual(view.text[at..<at + run.count]) else {
                        return false
                    }
                }
                from += other.count
            }
            at += run.count
        }
        return true
    }

    /// Appends to the damaged store, and reads that back.
    private static func appendAfterDamage(_ store: Store, _ what: String) throws {
        let clock = ManualClock(1_800_000_000_000_000)
        let opening = Result { try VMStore(store: store, name: "web", hostBoot: "boot-1", now: clock.time) }
        if case .failure(let error) = opening, (error as? SystemError)?.code == SystemError.notSupported {
            // The version's digit was changed.
            return
        }
        let vm = try opening.get()
        let writer = try vm.open(.console0, now: clock.time)
        try Array("after\n".utf8).withUnsafeBytes { try writer.append($0, time: clock.time) }
        let reading = try Reading(StreamBatches(store.reader(of: Self.stream)))
        #expect(reading.text.hasSuffix("after\n"), "\(what)")
        #expect(try store.vms().first { $0.directory == "web" }?.metadataProblem == nil, "\(what)")
    }

    @Test("a store of an earlier version, without checksums and recorded ends, is intact")
    func earlierVersion() throws {
        let files = try Self.everyKind(isClosed: true)
        let folder = "/store/web/console0"
        files["/store/web/writer.json"] = nil
        files[folder + "/extents.json"] = nil
        for path in ["/store/web/vm.json", folder + "/meta.json"] {
            let text = String(decoding: try #require(files[path]), as: UTF8.self)
            let cut = try #require(text.firstRange(of: ",\"crc32c\""))
            files[path] = Array((text[..<cut.lowerBound] + "}\n").utf8)
        }
        let store = Store(root: "/store", fileSystem: files)
        #expect(try Self.damages(store).isEmpty)
        #expect(try View(store).missing.allSatisfy { $0.reason == .retention })
        files.shortensWrites = false
        try Self.appendAfterDamage(store, "an earlier version's store")
        #expect(files[folder + "/extents.json"] != nil)
    }

    @Test("a missing last pair is detected when the VM was closed, and the stream continues beyond it")
    func lastPairGone() throws {
        let files = try Self.everyKind(isClosed: true)
        let store = Store(root: "/store", fileSystem: files)
        let end = try #require(Reading(StreamBatches(store.reader(of: Self.stream))).runs.last).upperBound
        for path in files.files where path.hasSuffix(".log") || path.hasSuffix(".idx") { files[path] = nil }
        let found = try Self.damages(store)
        #expect(found.compactMap(\.lost?.upperBound) == [end])
        let follower = StreamBatches(store.reader(of: Self.stream))
        _ = try Reading(follower)
        #expect(store.reader(of: Self.stream).lostEnd(after: follower.cursor)?.bytes == end - follower.cursor.offset)
        let vm = try VMStore(store: store, name: "web", hostBoot: "boot-1", now: .distantPast)
        #expect(try vm.open(.console0, now: .distantPast).nextOffset == StoreLimits.restartStride)
        let gap = try #require(Reading(StreamBatches(store.reader(of: Self.stream))).gaps.last)
        #expect(gap.reason == .corruption && gap.bytes == end - follower.cursor.offset)
    }

    @Test("a segment that was continued after a crash of the host is intact")
    func hostCrash() throws {
        let folder = TemporaryFolder()
        let fixture = try StoreFixture(root: folder.path)
        for boot in ["boot-2", "boot-3", "boot-4"] {
            try fixture.append("\(boot)\n")
            fixture.writer.roll()
            try fixture.sealAndSync()
            try fixture.sealer.synchronize()
            fixture.close()
            try fixture.restart(hostBoot: boot)
        }
        #expect(try fixture.names().count { $0.hasSuffix(".log.zst") } == 1)
        try fixture.vm.closeCleanly()
        let left = try Self.damages(fixture.store)
        #expect(left.isEmpty, "\(left)")
    }

    @Test("while a writer has the VM, text without a record is not damage; without a writer it is")
    func growing() throws {
        let files = SimulatedFileSystem(seed: 1)
        files.shortensWrites = false
        let fixture = try StoreFixture(root: "/store", fileSystem: files)
        try fixture.append("one\n")
        files[fixture.layout.log(0)]?.append(contentsOf: "tw".utf8)
        #expect(try Self.damages(fixture.store).isEmpty)
        files.processDies()
        #expect(try Self.damages(fixture.store).map(\.lost) == [4..<6])
    }

    @Test(
        "a link or a file in place of a stream's folder is damage, and a file in place of a VM's",
        arguments: [true, false]
    )
    func noFolder(isLink: Bool) throws {
        let folder = TemporaryFolder()
        let fixture = try StoreFixture(root: folder.path)
        try fixture.append("one\n")
        try fixture.vm.closeCleanly()
        fixture.close()
        let (vm, file) = (folder.path + "/web", LinuxFileSystem())
        func put(at path: String) throws {
            if isLink {
                #expect(symlink(path + ".old", path) == 0)
            } else {
                _ = try StoredFile(path, .create, on: file)
            }
        }
        let words = isLink ? "is a symbolic link, not a directory" : "is a regular file, not a directory"
        for name in ["console0", "kernel"] {
            if name == "console0" {
                try file.rename(vm + "/console0", to: vm + "/console0.old")
            }
            try put(at: vm + "/" + name)
        }
        let found = try Self.damages(fixture.store)
        #expect(found.map(\.path) == ["web/console0", "web/kernel"])
        #expect(found.map(\.problem) == [words, words] && found[0].lost == 0..<4)
        #expect(try StoreCheck(fixture.store).checkStore().isEmpty)
        try file.rename(vm, to: vm + ".old")
        try put(at: vm)
        let store = try StoreCheck(fixture.store).checkStore()
        // A link to the VM's own folder is followed.
        #expect(store.map(\.path) == (isLink ? [] : ["web"]) && store.map(\.problem) == (isLink ? [] : [words]))
    }

    @Test("a damaged file of removed VMs is damage to the store")
    func removedVMs() throws {
        let files = try Self.everyKind(isClosed: true)
        let store = Store(root: "/store", fileSystem: files)
        #expect(try StoreCheck(store).checkStore().isEmpty)
        var removed = RemovedVMs(in: store)
        removed.note("db", stride: 1, at: Timestamp(microseconds: 1))
        try removed.write(to: store)
        #expect(try StoreCheck(store).checkStore().isEmpty)
        files["/store/.removed"]?[20] ^= 1
        #expect(try StoreCheck(store).checkStore().map(\.path) == [".removed"])
    }

    @Test(
        "unreadable files of one VM are a gap in its log only: others, and later data, are read",
        arguments: [0, 1, 2, 3]
    )
    func unreadableFile(kind: Int) throws {
        let files = try Self.everyKind(isClosed: false)
        let store = Store(root: "/store", fileSystem: files)
        let whole = try View(store)
        let names = [".log.zst", ".head.zst", ".log", ".idx"]
        let path = try #require(files.files.first { $0.hasSuffix(names[kind]) })
        files.spoil(path)
        let view = try View(store)
        #expect(view.text.count < whole.text.count && Self.isPart(view, of: whole))
        #expect(view.missing.contains { $0.reason == .corruption } || view.lostEnd != nil)
        let found = try Self.damages(store)
        #expect(found.contains { "/store/" + $0.path == path && $0.problem.contains("Input/output error") })
        let reader = store.reader(of: Self.stream)
        _ = try Reading(StreamBatches(reader))
        #expect(reader.unreadableFiles.map(\.subject) == [path])
        _ = try reader.end()
    }

    @Test(
        "a store moved away and back continues after a gap that counts what was stored, or recorded as lost, elsewhere"
    )
    func movedAndBack() throws {
        let folder = TemporaryFolder()
        let root = folder.path + "/store"
        mkdir(root, 0o755)
        let fixture = try StoreFixture(root: root)
        try fixture.append("at home\n")
        #expect(rename(root, root + ".moved") == 0)
        let away = try fixture.vm.open(.console0, now: fixture.clock.time)
        try Array("away\n".utf8).withUnsafeBytes { try away.append($0, time: fixture.clock.time) }
        let gap = GapDetail(reason: .overflow, bytes: 100, lines: 0, since: fixture.clock.time, isClosed: true)
        try away.mark(RecordDetail(gap: gap), time: fixture.clock.time)
        #expect(try fixture.read().gaps.map(\.bytes) == [8, 100])
        #expect(rename(root, root + ".new") == 0 && rename(root + ".moved", root) == 0)
        let back = try fixture.vm.open(.console0, now: fixture.clock.time)
        try Array("back\n".utf8).withUnsafeBytes { try back.append($0, time: fixture.clock.time) }
        let reading = try fixture.read()
        #expect(reading.text == "at home\nback\n" && reading.gaps.map(\.bytes) == [105])
        #expect(try Self.damages(fixture.store).isEmpty)
    }

    @Test("a VM without its metadata is identified by its folder, and other folders are skipped")
    func folders() throws {
        let files = try Self.everyKind(isClosed: false)
        files["/store/web/vm.json"] = nil
        files.putFolder(at: "/store/lost+found")
        files.putFolder(at: "/store/notes")
        let store = Store(root: "/store", fileSystem: files)
        let vms = try store.vms()
        #expect(vms.map(\.identity) == [VMIdentity(name: "web")])
        #expect(vms.first?.metadataProblem == "is missing")
        files["/store/web/console0/meta.json"] = nil
        #expect(try store.streams(of: "web") == [Self.stream])
        #expect(try Self.damages(store).map(\.path) == ["web/vm.json", "web/console0/meta.json"])
    }
}
