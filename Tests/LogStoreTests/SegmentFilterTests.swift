// SPDX-License-Identifier: Apache-2.0

import LogModel
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import LogStore

@Suite(.blocking) struct SegmentFilterTests {
    let folder = TemporaryFolder()

    private func builder(_ parts: String...) -> SegmentFilterBuilder {
        let builder = SegmentFilterBuilder()
        for part in parts {
            Array(part.utf8).withUnsafeBytes { builder.add($0) }
        }
        return builder
    }

    private func mayContain(_ builder: SegmentFilterBuilder, _ word: String) throws -> Bool {
        let filter = try #require(builder.filter)
        return filter.mayContain(try #require(SearchWord(Array(word.utf8))))
    }

    @Test("a text may contain what is in it, in upper or lower case, over the ends of blocks and over colours")
    func contained() throws {
        let text = builder("Kernel panic - not syn", "cing: VFS\r\nlog", "in: \u{1b}[1;31mERR\u{1b}[0mOR\n")
        for word in ["Kernel panic", "KERNEL", "syncing", "login:", "error", "VFS", "not syncing: VFS"] {
            #expect(try mayContain(text, word), "\(word)")
        }
        for word in ["oops", "segfault", "panics", "1;31m", "unable to mount"] {
            #expect(try !mayContain(text, word), "\(word)")
        }
    }

    @Test("words of less than three bytes cannot be excluded")
    func short() {
        #expect(SearchWord(Array("ab".utf8)) == nil)
    }

    @Test("parts that are joined have the filter of the whole, wherever it is divided")
    func joined() throws {
        let text = "a\u{1b}[31mB\u{1b}[0mc \"k\":[1,2]\r\n[    0.1] x\n"
        let whole = builder(text)
        #expect(whole.filter?.hasArrays == true)
        var random = SeededGenerator(seed: 3)
        for _ in 0..<200 {
            let joined = SegmentFilterBuilder()
            var rest = Substring(text)
            while !rest.isEmpty {
                let part = SegmentFilterBuilder()
                for _ in 0..<Int.random(in: 1...2, using: &random) where !rest.isEmpty {
                    // A colour is not divided: with a part of one there is no filter.
                    let count = Int.random(in: 1...12, using: &random)
                    let piece = rest.unicodeScalars.prefix(count)
                    let open = piece.lastIndex(of: "\u{1b}")
                    let closes = open.map { piece[$0...].contains("m") } ?? true
                    let end = closes ? piece.endIndex : rest.unicodeScalars[open!...].firstIndex(of: "m")!
                    let stop = closes ? end : rest.unicodeScalars.index(after: end)
                    Array(String(rest[..<stop]).utf8).withUnsafeBytes { part.add($0) }
                    rest = rest[stop...]
                }
                joined.add(part)
            }
            // A CR without its LF in the same block is a control byte.
            #expect(joined.filter == nil || joined.filter == whole.filter)
        }
    }

    @Test("what is displayed in another way than it is stored, or ends within a line, has no filter")
    func none() {
        for text in ["a\u{8}b\n", "10%\r20%\n", "\u{1b}[2Jx\n", "\u{1b}[31", "a\u{7f}\n", "login: ", "x\u{1b}"] {
            #expect(builder(text).filter == nil, "\(text.debugDescription)")
        }
        #expect(builder("a\u{1b}[" + String(repeating: "1;", count: 40) + "mb\n").filter == nil)
        #expect(builder("plain\n", "a\u{8}b\n", "plain\n").filter == nil)
        let joined = builder("plain\n")
        joined.add(builder("a\u{8}b\n"))
        joined.add(builder("plain\n"))
        #expect(joined.filter == nil)
    }

    @Test("a frame is read back, and a damaged one is none")
    func frame() throws {
        let filter = try #require(builder("some text: [1]\n").filter)
        var frame: [UInt8] = []
        filter.append(to: &frame)
        #expect(frame.count == SegmentFilter.frameSize)
        #expect(SegmentFilter(frame: frame) == filter)
        for index in [0, 5, 9, 13, 17, 30, frame.count - 1] {
            var damaged = frame
            damaged[index] ^= 1
            #expect(SegmentFilter(frame: damaged) == nil)
        }
        #expect(SegmentFilter(frame: frame.dropLast()) == nil)
    }

    private func damages(_ store: Store) throws -> [Damage] {
        try store.vms().flatMap { try StoreCheck(store).check($0).streams.flatMap(\.damages) }
    }

    /// A store with one closed segment of 64 blocks, and the segment's path.
    private func filled(_ text: (Int) -> String) throws -> (fixture: StoreFixture, path: String) {
        let fixture = try StoreFixture(root: folder.path)
        for block in 0..<StoreLimits.blocksPerSegment {
            try fixture.append(text(block))
            fixture.writer.roll()
        }
        try fixture.sealAndSync()
        let name = try #require(try fixture.names().first { $0.hasSuffix(".log.zst") })
        return (fixture, fixture.writer.path + "/" + name)
    }

    /// Random text that zstd cannot compress much, of 16 KiB.
    private func noise(_ block: Int) -> String {
        var random = SeededGenerator(seed: UInt64(block))
        return (0..<256).map { _ in
            let letters = (0..<63).map { _ in UInt8.random(in: 0x61...0x6f, using: &random) }
            return String(decoding: letters, as: UTF8.self) + "\n"
        }.joined()
    }

    @Test("a closed segment has a filter, also when it grew before a restart, and verify finds a wrong one")
    func stored() throws {
        let (fixture, path) = try filled(noise)
        let word = try #require(SearchWord(Array("zebra".utf8)))
        let segment = try SegmentFile(path: path, fileSystem: LinuxFileSystem())
        let filter = try #require(try segment.filter())
        #expect(!filter.mayContain(word))
        let passed = try #require(try fixture.reader.skippedText(from: .start, lacking: word, excludesArrays: true))
        #expect(passed.end == segment.headers.last?.end)
        #expect(try damages(fixture.store).isEmpty)

        // Another text's filter, with the right checksum.
        var frame: [UInt8] = []
        try #require(builder("other\n").filter).append(to: &frame)
        let end = try #require(segment.headers.last?.nextPosition)
        try StoredFile(path, .update, on: LinuxFileSystem()).write(at: end, frame)
        let damages = try damages(fixture.store)
        #expect(damages.count == 1 && damages.first?.problem.contains("filter") == true)
    }

    @Test("a segment that grew in two processes has the filter of all its blocks")
    func restarted() throws {
        let fixture = try StoreFixture(root: folder.path)
        for block in 0..<StoreLimits.blocksPerSegment {
            if block == 10 {
                try fixture.sealAndSync()
                try fixture.restart()
            }
            try fixture.append(noise(block))
            fixture.writer.roll()
        }
        try fixture.sealAndSync()
        let name = try #require(try fixture.names().first { $0.hasSuffix(".log.zst") })
        let segment = try SegmentFile(path: fixture.writer.path + "/" + name, fileSystem: LinuxFileSystem())
        let whole = SegmentFilterBuilder()
        for block in 0..<StoreLimits.blocksPerSegment {
            Array(noise(block).utf8).withUnsafeBytes { whole.add($0) }
        }
        #expect(try segment.filter() == whole.filter)
    }

    @Test("blocks with markers are not passed over")
    func markers() throws {
        let fixture = try StoreFixture(root: folder.path)
        for block in 0..<StoreLimits.blocksPerSegment {
            if block == 20 {
                try fixture.markGap(7)
            }
            try fixture.append(noise(block))
            fixture.writer.roll()
        }
        try fixture.sealAndSync()
        let word = try #require(SearchWord(Array("zebra".utf8)))
        let first = try #require(try fixture.reader.skippedText(from: .start, lacking: word, excludesArrays: false))
        let gap = try #require(try fixture.read().markers.first)
        guard case .marker(let position, _, _) = gap else {
            Issue.record("no marker")
            return
        }
        #expect(first.end == position)
        let marker = Cursor(offset: position)
        #expect(try fixture.reader.skippedText(from: marker, lacking: word, excludesArrays: false) == nil)
        let after = Cursor(offset: position + UInt64(noise(20).utf8.count))
        #expect(try fixture.reader.skippedText(from: after, lacking: word, excludesArrays: false) != nil)
    }
}
