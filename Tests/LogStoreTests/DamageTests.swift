// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import LogStore

/// Files with random damage: readers neither crash, nor loop, nor return a byte that was not appended at its position.
///
/// This includes active text, because its records' checksums are verified. Only text of a live stream without a record,
/// which recovery keeps, is returned unverified; it is marked recovered.
@Suite(.blocking) struct DamageTests {
    @Test(
        "whatever bytes are flipped, cut, or added to the folder, no wrong byte is returned, before or after recovery"
    )
    func fuzz() throws {
        let rounds = getenv("GUESTLOG_HISTORIES").flatMap { UInt64(String(cString: $0)) } ?? 1000
        for seed in 1...min(rounds, 20_000) {
            let files = SimulatedFileSystem(seed: seed)
            var random = SeededGenerator(seed: seed)
            let fixture = try StoreFixture(root: "/store", fileSystem: files)
            var text: [UInt8] = []
            for step in 0..<Int.random(in: 1...12, using: &random) {
                let line = consoleText(Int.random(in: 1...90, using: &random), from: step)
                try fixture.append(line)
                text += line
                if step % 4 == 1 { try fixture.markGap(UInt64(step)) }
                if step % 3 == 1 { fixture.writer.roll() }
                if step % 5 == 3 { try fixture.sealAndSync() }
            }
            let folder = fixture.writer.path
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                damage(files, in: folder, &random)
            }
            try check(fixture, text, "seed \(seed), before recovery")
            files.processDies()
            do {
                try fixture.restart(hostBoot: seed % 2 == 0 ? "boot-2" : "boot-1")
            } catch let error as SystemError where error.code == SystemError.notSupported {
                // The version's digit was changed.
                continue
            }
            try check(fixture, text, "seed \(seed), after recovery")
            try fixture.append("after\n")
            fixture.writer.roll()
            try fixture.sealAndSync()
            let reading = try fixture.read()
            #expect(reading.text.contains("after\n"), "seed \(seed)")
        }
    }

    private func damage(_ files: SimulatedFileSystem, in folder: String, _ random: inout SeededGenerator) {
        let own = files.files.filter { $0.hasPrefix(folder) }
        guard let path = own.randomElement(using: &random), var bytes = files[path] else { return }
        switch Int.random(in: 0..<5, using: &random) {
        case 0, 1:
            guard let index = bytes.indices.randomElement(using: &random) else { return }
            bytes[index] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            files[path] = bytes
        case 2:
            files[path] = Array(bytes.prefix(Int.random(in: 0...bytes.count, using: &random)))
        case 3:
            let suffix = [".log", ".idx", ".log.zst", ".head.zst", ".new"].randomElement(using: &random) ?? ""
            let bases: [UInt64] = [0, 50, 400, 1 << 33, UInt64.max]
            let base = bases.randomElement(using: &random) ?? 0
            let rubbish = (0..<Int.random(in: 0...300, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            files[folder + "/" + StreamLayout.name(base, suffix)] = rubbish
        default:
            // One file's contents under another's name.
            files[path] = own.randomElement(using: &random).flatMap { files[$0] } ?? []
        }
    }

    private func check(_ fixture: StoreFixture, _ text: [UInt8], _ what: String) throws {
        let follower = StreamBatches(fixture.reader)
        for _ in 0..<1000 {
            guard let batch = try follower.next() else {
                _ = try fixture.reader.summaries()
                _ = try fixture.reader.end()
                return
            }
            for record in batch.block.records[batch.firstRecord...] where !record.flags.contains(.recovered) {
                let from = max(record.offset, batch.start)
                let served = batch.block.text[Int(from - batch.block.offset)..<Int(record.end - batch.block.offset)]
                let start = Int(from)
                let isTrue =
                    start + served.count <= text.count
                    ? text[start..<start + served.count].elementsEqual(served) : served.isEmpty
                #expect(isTrue, "\(what): \(served.count) bytes at \(start)")
            }
        }
        Issue.record("\(what): a follower without an end")
    }
}
