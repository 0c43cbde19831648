// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import LogStore
import RotatingFile
import Synchronization
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import Capture

@Suite(.blocking) struct StreamLifeTests {
    private func plainFile(_ path: String, _ mode: OpenMode) throws -> StoredFile {
        try StoredFile(path, mode, on: LinuxFileSystem())
    }

    @Test("one stream is committed on request, and no other")
    func commit() throws {
        let site = try Site(clock: StoppedClock())
        let names = ["committed", "other"]
        let opened = names.map { _ in Opened() }
        let done = OneShot()
        try site.onShard { capture, shard in
            for (name, opened) in zip(names, opened) {
                opened.intake = try capture.open(StreamKey(name: name), options: StreamOptions(rate: nil), on: shard)
                Array("hello\n".utf8).withUnsafeBytes { opened.intake?.put($0) }
            }
            capture.commit(StreamKey(name: "committed"), on: shard) { done.signal() }
        }
        done.wait()
        #expect(names.map(site.text) == ["hello\n", ""])
        try site.onShard { _, _ in
            opened.forEach { $0.intake?.close() }
        }
        #expect(eventually { names.allSatisfy { site.text($0) == "hello\n" } })
    }

    @Test("what a crash loop left is committed before a start ends, and the rings of all its rounds are removed")
    func crashLoop() throws {
        var round = 0
        // At a clock that stands still, the data of ended processes waits for a source for ever.
        let site = try Site(clock: StoppedClock(), crashes: 100) { ring in
            round += 1
            try ring.setKey(#require(StreamKey(name: "web").encoded), of: 0)
            try ring.leave("round \(round)\n", slot: 0)
        }
        #expect(site.rings == 101)
        try site.write("after\n", by: StreamKey(name: "web"))
        try site.capture.awaitStore()
        site.capture.awaitRecovery(seconds: 600)
        #expect(site.rings == 1)
        let rounds = (1...100).map { "round \($0)\n" }.joined()
        #expect(eventually { site.text("web") == rounds + "after\n" })
    }

    @Test("a stop syncs at once, however short the time since the last sync")
    func stopSyncs() throws {
        // At a clock that stands still, the interval between syncs never ends.
        let site = try Site(clock: StoppedClock())
        try site.write("hello\n", by: StreamKey(name: "web"))
        #expect(eventually { site.text("web") == "hello\n" })
        try site.restart()
        #expect(site.notices.all == [])
        #expect(site.isClosed("web"))
    }

    @Test("a reused slot never mixes the bytes of two VMs, although the writer lags")
    func slotsAreUsedAgain() throws {
        let site = try Site()
        for round in 0..<20 {
            #expect(eventually { site.capture.shards[0].ring.used == 0 })
            // The writer is blocked while streams are opened and closed, so that their entries and announcements
            // accumulate.
            site.fileSystem.set(round % 2 == 0 ? .hanging : .healthy)
            for number in 0..<30 {
                try site.write("round \(round) of \(number)\n", by: StreamKey(name: "vm\(number)"))
            }
            site.fileSystem.set(.healthy)
        }
        for number in 0..<30 {
            let expected = (0..<20).map { "round \($0) of \(number)\n" }.joined()
            #expect(eventually { site.text("vm\(number)") == expected }, "vm\(number): \(site.text("vm\(number)"))")
        }
        let slots = try site.onShard { _, shard in shard.ring.slotsUsed }
        #expect(slots < 600, "slots are reused")
    }

    @Test("a VM without open streams is released: closed cleanly, and free for another process")
    func letsGo() throws {
        let site = try Site()
        try site.write("short\n", by: StreamKey(name: "brief"))
        #expect(eventually { site.text("brief") == "short\n" })
        #expect(eventually { site.isClosed("brief") })
        let store = Store(root: site.folder.path + "/store")
        let isFree = eventually {
            (try? VMStore(store: store, name: "brief", hostBoot: "b", now: .distantPast)) != nil
        }
        #expect(isFree)
        try site.write("again\n", by: StreamKey(name: "brief"))
        #expect(eventually { site.text("brief") == "short\nagain\n" })
    }

    @Test("a VM that has ended is closed cleanly once everything is on disk, and the next of its name too")
    func ended() throws {
        let site = try Site()
        for folder in ["brief", "brief~1"] {
            try site.write("short\n", by: StreamKey(name: "brief"))
            #expect(eventually { site.text(folder) == "short\n" })
            let done = OneShot()
            site.capture.end(VMIdentity(name: "brief")) { error in
                #expect(error == nil)
                done.signal()
            }
            done.wait()
            #expect(eventually { site.isClosed(folder) })
        }
    }

    @Test("a VM that is renamed under its UUID continues its history")
    func renamed() throws {
        let site = try Site()
        let uuid = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
        try site.onShard { capture, shard in
            let old = try capture.open(StreamKey(name: "old", uuid: uuid), options: StreamOptions(), on: shard)
            let new = try capture.open(StreamKey(name: "new", uuid: uuid), options: StreamOptions(), on: shard)
            for (intake, text) in [(old, "as old\n"), (new, "as new\n")] {
                Array(text.utf8).withUnsafeBytes { intake.put($0) }
            }
            old.close()
            new.close()
        }
        #expect(eventually { site.text(uuid) == "as old\nas new\n" })
        let store = Store(root: site.folder.path + "/store")
        #expect(store.vm(in: uuid)?.identity.name == "new")
    }

    @Test("losses that could not be recorded are recorded by the next process", arguments: [EROFS, ENOSPC])
    func lossesOutliveTheProcess(code: Int32) throws {
        let site = try Site()
        let key = StreamKey(name: "web")
        try site.write("before\n", by: key)
        #expect(eventually { site.text("web") == "before\n" })
        // Closed first: a write that fails halfway and cannot be cut off either would leave a part to be recovered.
        #expect(eventually { site.isClosed("web") })
        site.fileSystem.set(.failing(code))
        try site.write("lost for want of a disk\n", by: key)
        #expect(eventually { !site.capture.problems.all.isEmpty })
        try site.restart()
        try site.restart()
        site.fileSystem.set(.healthy)
        try site.restart()
        try site.write("after\n", by: key)
        #expect(eventually { site.text("web") == "before\nafter\n" })
        #expect(try site.stored("web").lostBytes == 24)
        #expect(try site.stored("web").gaps.last?.isClosed == true)
    }

    @Test("data that a dead process had read are committed before new data, and written to the plain file too")
    func remains() throws {
        let key = StreamKey(name: "web")
        let site = try Site { ring in
            try ring.setKey(try #require(key.encoded), of: 0)
            try ring.leave("read by the dead\n", slot: 0)
            try ring.leave("and not committed\n", slot: 0)
            ring.setShardLoss(0, InflightRing.Loss(bytes: 5, lines: 0, since: 1, reason: 1))
        }
        let path = site.folder.path + "/plain.log"
        let options = StreamOptions(plainFile: StreamOptions.PlainFile(path: path))
        try site.write("said since\n", by: key, options: options)
        let expected = "read by the dead\nand not committed\nsaid since\n"
        #expect(eventually { site.text("web") == expected })
        #expect(try site.stored("web").lostBytes == 5)
        #expect(try plainFile(path, .read).read(at: 0, count: 1000) == Array(expected.utf8))
        try site.restart()
        let left = try LinuxFileSystem().names(in: site.folder.path + "/inflight")
        #expect(left.filter { $0.hasSuffix(".ring") }.count == 1, "only its own ring is left")
    }

    @Test(
        "what a process had written to the plain file when it was killed is not written again",
        arguments: [("", 0), ("fir", 0), ("first\nsec", 0), ("first\nsec", 1), ("first\nsecond\n", 2)],
        [false, true]
    )
    func killedInPlainFile(left: (written: String, marked: Int), isRotated: Bool) throws {
        let key = StreamKey(name: "web")
        let file = TemporaryFolder()
        let path = file.path + "/plain.log"
        try plainFile(path, .create).write(at: 0, Array("before\n\(left.written)".utf8))
        let attributes = try #require(FileAttributes(at: path))
        let site = try Site { ring in
            try ring.setKey(try #require(key.encoded), of: 0)
            try ring.leave("first\n", slot: 0)
            try ring.leave("second\n", slot: 0)
            let first = try #require(ring.entry(at: 0))
            // The append began with `before` in the file.
            let progress = AppendProgress(file: attributes.identity, size: 7, written: 0)
            ring.setPlainAppend(0, progress, firstEnd: first.end)
            let entries = [first, try #require(ring.entry(at: first.end))]
            entries.prefix(left.marked).forEach { $0.isInPlainFile = true }
        }
        if isRotated {
            rename(path, path + ".0")
        }
        try site.write("after\n", by: key, options: StreamOptions(plainFile: StreamOptions.PlainFile(path: path)))
        #expect(eventually { site.text("web") == "first\nsecond\nafter\n" })
        let texts = [path + ".0", path].map { path in
            String(decoding: (try? plainFile(path, .read).read(at: 0, count: 1000)) ?? [], as: UTF8.self)
        }
        #expect(texts.joined() == "before\nfirst\nsecond\nafter\n")
    }

    @Test("what another program has appended to a plain file after a kill hides nothing of what follows")
    func foreignAppend() throws {
        let key = StreamKey(name: "web")
        let file = TemporaryFolder()
        let path = file.path + "/plain.log"
        try plainFile(path, .create).write(at: 0, Array("first\nforeign\n".utf8))
        let attributes = try #require(FileAttributes(at: path))
        let site = try Site { ring in
            try ring.setKey(try #require(key.encoded), of: 0)
            try ring.leave("first\n", slot: 0)
            let first = try #require(ring.entry(at: 0))
            let progress = AppendProgress(file: attributes.identity, size: 0, written: 0)
            ring.setPlainAppend(0, progress, firstEnd: first.end)
        }
        try site.write("after\n", by: key, options: StreamOptions(plainFile: StreamOptions.PlainFile(path: path)))
        #expect(eventually { site.text("web") == "first\nafter\n" })
        let text = String(decoding: try plainFile(path, .read).read(at: 0, count: 1000), as: UTF8.self)
        #expect(text == "first\nforeign\nafter\n")
    }

    @Test("what a damaged ring says of offsets, times and sizes stops nobody")
    func damaged() throws {
        let key = StreamKey(name: "web")
        let site = try Site { ring in
            try ring.setKey(try #require(key.encoded), of: 0)
            try ring.leave("first\n", slot: 0)
            let first = try #require(ring.entry(at: ring.tail))
            (first.offset, first.state) = (.max - 2, .assigned)
            let room = try #require(ring.reserve())
            room.copyBytes(from: "second\n".utf8)
            ring.publish(7, kind: .data, slot: 0, time: .min)
            try ring.leave("third\n", slot: 0)
        }
        try site.write("after\n", by: key)
        #expect(eventually { site.text("web") == "first\nsecond\nthird\nafter\n" })
    }

    @Test("after thousands of boots without a word the next boot's text is stored, with its marker before it")
    func silentBoots() throws {
        let site = try Site()
        let key = StreamKey(name: "web")
        for round in 0..<90 {
            let done = OneShot()
            try site.onShard { capture, shard in
                let intake = try capture.open(key, options: StreamOptions(rate: nil), on: shard)
                for _ in 0..<100 {
                    intake.mark(.boot(.powerOn))
                }
                if round == 89 {
                    Array("words\n".utf8).withUnsafeBytes { intake.put($0) }
                }
                capture.commit(key, on: shard) { done.signal() }
                intake.close()
            }
            done.wait()
        }
        #expect(eventually { site.text("web") == "words\n" })
        let markers = try site.stored("web").markers
        #expect(markers.count > StoreLimits.recordsPerPair && markers.allSatisfy { $0.index == 0 })
        try site.write("more\n", by: key)
        #expect(eventually { site.text("web") == "words\nmore\n" })
        #expect(try site.stored("web").gaps.isEmpty)
    }

    @Test("a VM is open as long as one of its streams waits to be sealed")
    func sealing() throws {
        let site = try Site()
        let (console, log) = (StreamKey(name: "web"), StreamKey(name: "web", stream: StreamName("qemu")!))
        let inTheWay = site.folder.path + "/store/web/console0/" + Self.firstSegment
        let text = String(repeating: "words\n", count: 100_000)
        let opened = Opened()
        try site.onShard { capture, shard in
            opened.intake = try capture.open(console, options: StreamOptions(rate: nil), on: shard)
            Array("words\n".utf8).withUnsafeBytes { opened.intake?.put($0) }
        }
        #expect(eventually { site.text("web") == "words\n" })
        // What cannot be sealed waits.
        mkdir(inTheWay, 0o700)
        try site.onShard { _, _ in
            Array(text.utf8).withUnsafeBytes { opened.intake?.put($0) }
            opened.intake?.close()
        }
        try site.write("short\n", by: log)
        for _ in 0..<3 {
            let done = OneShot()
            site.capture.whenOnDisk(isUrgent: true) { done.signal() }
            done.wait()
        }
        #expect(!site.isClosed("web"))
        rmdir(inTheWay)
        #expect(eventually { site.isClosed("web") })
        #expect(site.text("web") == "words\n" + text)
        #expect(access(inTheWay, F_OK) == 0)
    }

    /// The name of a stream's first segment.
    private static let firstSegment = "00000000000000000000.log.zst"

    @Test("a VM that is deleted while it cannot be stored has no problem any more")
    func deletedWhileFailing() throws {
        let site = try Site()
        let key = StreamKey(name: "web")
        try site.write("old\n", by: key)
        #expect(eventually { site.isClosed("web") })
        site.fileSystem.set(.failing(ENOSPC))
        try site.write("lost\n", by: key)
        #expect(eventually { site.capture.problems.problem(of: key.vm) != nil })
        let (checked, ended) = (OneShot(), OneShot())
        site.capture.checkEnd(of: key.vm) { error in
            #expect(error?.code == ENOSPC)
            checked.signal()
        }
        checked.wait()
        #expect(site.capture.problems.problem(of: key.vm) != nil)
        site.fileSystem.set(.healthy)
        site.capture.end(key.vm) { error in
            #expect(error == nil)
            ended.signal()
        }
        ended.wait()
        #expect(site.capture.problems.problem(of: key.vm) == nil)
    }

    @Test("a VM with a UUID that was deleted is released, and begins anew when its history was removed")
    func deletedAndStarted() throws {
        let site = try Site()
        let key = StreamKey(name: "web", uuid: "6ba7b810-9dad-11d1-80b4-00c04fd430c8")
        let folder = key.vm.directoryName
        let store = Store(root: site.folder.path + "/store")
        try site.write("old\n", by: key)
        #expect(eventually { site.isClosed(folder) })
        let done = OneShot()
        site.capture.end(key.vm) { error in
            #expect(error == nil)
            done.signal()
        }
        done.wait()
        #expect(eventually { store.vm(in: folder).map { !store.isWritten($0) } ?? false })
        // As retention does, after a week.
        #expect(eventually { (try? ChildProgram.run(["rm", "-r", store.root + "/" + folder]).status) == 0 })
        try site.write("new\n", by: key)
        #expect(eventually { site.text(folder) == "new\n" })
    }

    @Test("data of a stream that does not return are committed too")
    func remainsAlone() throws {
        let site = try Site { ring in
            try ring.setKey(try #require(StreamKey(name: "gone").encoded), of: 3)
            try ring.leave("last words\n", slot: 3)
        }
        #expect(eventually { site.text("gone") == "last words\n" })
    }

    @Test(
        "boots are found in what an ended process had read of a console, and not in that of a program's log",
        arguments: [true, false]
    )
    func remainsOfProgram(isConsole: Bool) throws {
        let killed = try Site()
        try killed.capture.awaitStore()
        killed.fileSystem.set(.hanging)
        let options = StreamOptions(rate: nil, isConsole: isConsole)
        try killed.write(BootTable.seaBIOS, by: StreamKey(name: "web"), options: options)
        let site = try Site(after: killed)
        killed.fileSystem.set(.healthy)
        #expect(eventually { site.text("web") == BootTable.seaBIOS })
        #expect(try site.stored("web").boots.map(\.event) == (isConsole ? [.firmware] : []))
    }

    @Test("streams of many VMs that come and go leave nothing behind but the sums of their statistics")
    func manyVMs() throws {
        let site = try Site()
        let count = 200
        for number in 0..<count {
            try site.write("hello\n", by: StreamKey(name: "vm-\(number)"))
        }
        #expect(eventually { site.capture.statistics().isEmpty })
        #expect(site.capture.totalStatistics.received == UInt64(6 * count))
        #expect(site.capture.totalStatistics.stored == UInt64(6 * count))
        // One that has a source keeps its own.
        let key = StreamKey(name: "vm-0")
        let opened = Opened()
        try site.onShard { capture, shard in
            opened.intake = try capture.open(key, options: StreamOptions(rate: nil), on: shard)
            Array("again\n".utf8).withUnsafeBytes { opened.intake?.put($0) }
        }
        #expect(eventually { site.capture.statistics()[key]?.stored == 6 })
        try site.onShard { _, _ in opened.intake?.close() }
        #expect(eventually { site.capture.statistics().isEmpty })
        #expect(site.capture.totalStatistics.stored == UInt64(6 * count + 6))
    }

    @Test("a deleted VM's stream, whose source ends later, leaves no statistics behind", arguments: [false, true])
    func deletedWithSource(hasUUID: Bool) throws {
        let site = try Site()
        let uuid = hasUUID ? "11111111-2222-3333-4444-555555555555" : nil
        let key = StreamKey(name: "web", uuid: uuid)
        let opened = Opened()
        try site.onShard { capture, shard in
            opened.intake = try capture.open(key, options: StreamOptions(rate: nil), on: shard)
            Array("hello\n".utf8).withUnsafeBytes { opened.intake?.put($0) }
        }
        let done = OneShot()
        site.capture.end(key.vm) { _ in done.signal() }
        done.wait()
        #expect(site.capture.statistics().count == 1)
        try site.onShard { _, _ in opened.intake?.close() }
        #expect(eventually { site.capture.statistics().isEmpty })
    }

    @Test("what is asked of the sealer after its end is refused, and descriptors to be closed later are closed")
    func afterEnd() throws {
        let site = try Site()
        try site.capture.awaitStore()
        site.capture.stop()
        let codes = Mutex<[Int32]>([])
        site.capture.vacuum([], to: VacuumLimits(bytes: 0)) { result in
            if case .failure(let error) = result {
                codes.withLock { $0.append(error.code) }
            }
        }
        #expect(codes.withLock { $0 } == [ECANCELED])
        let pipe = try Descriptor.socketPair()
        let other = try pipe.second.duplicate()
        site.capture.writer.closeLater(pipe.takeFirst().release())
        // The other end tells: another thread's file may have the number again.
        #expect(
            eventually {
                var byte: UInt8 = 0
                return recv(other.raw, &byte, 1, Int32(MSG_DONTWAIT)) == 0
            }
        )
    }

    @Test("over its rate a stream's plain file has every byte, the store a gap, and no byte goes to another stream")
    func plainFileOverRate() throws {
        let site = try Site()
        let path = site.folder.path + "/plain.log"
        let limits = RotationLimits(size: 64 << 20, backups: 1)
        let options = StreamOptions(
            rate: RateLimit(rate: 10_000, burst: 100_000),
            plainFile: StreamOptions.PlainFile(path: path, limits: limits)
        )
        let printed = NumberedLines.text(20_000)
        let opened = Opened()
        let pipe = try Descriptor.socketPair()
        let guest = try pipe.first.duplicate()
        let host = try pipe.second.duplicate()
        try host.setNonBlocking(true)
        let end = host.raw
        for start in stride(from: 0, to: printed.count, by: 50_000) {
            let part = Array(printed[start..<min(printed.count, start + 50_000)])
            #expect(part.withUnsafeBytes { write(guest.raw, $0.baseAddress, $0.count) } == part.count)
            try site.onShard { capture, shard in
                let intake = try opened.intake ?? capture.open(StreamKey(name: "fast"), options: options, on: shard)
                opened.intake = intake
                while case .bytes = intake.receive(from: end) {}
            }
        }
        try site.onShard { _, _ in opened.intake?.close() }
        func plain() -> [UInt8]? {
            try? plainFile(path, .read).read(at: 0, count: printed.count + 1)
        }
        #expect(eventually { plain()?.count == printed.count })
        #expect(plain() == printed)
        let isAccounted = try eventually {
            let stored = try site.stored("fast")
            return stored.bytes.count + stored.lostBytes == printed.count
        }
        #expect(isAccounted)
        #expect(try site.stored("fast").gaps.contains { $0.reason == .rateLimit })
    }
}
