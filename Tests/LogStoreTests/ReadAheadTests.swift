// SPDX-License-Identifier: Apache-2.0

import LogModel
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import LogStore

/// Reading with blocks decoded ahead by other threads gives what reading alone gives.
@Suite(.blocking) struct ReadAheadTests {
    let folder = TemporaryFolder()

    private func sealed(_ bytes: Int) throws -> (StoreFixture, [UInt8]) {
        let fixture = try StoreFixture(root: folder.path)
        let text = repeatedText(bytes)
        try fixture.append(text)
        try fixture.sealAndSync()
        return (fixture, text)
    }

    private func read(_ fixture: StoreFixture, from cursor: Cursor = .start) throws -> Reading {
        let reader = fixture.store.reader(of: fixture.stream, group: ReaderGroup(readsAhead: true))
        return try Reading(StreamBatches(reader, from: cursor))
    }

    @Test("all text, in order, from every block on, and over segments")
    func order() throws {
        let (fixture, text) = try sealed(20 << 20)
        #expect(isSame(try read(fixture).bytes, text))
        for summary in try fixture.reader.summaries().reversed().prefix(8) {
            #expect(
                try read(fixture, from: Cursor(offset: summary.offset)).bytes.elementsEqual(
                    text[Int(summary.offset)...]
                )
            )
        }
    }

    @Test("a damaged block is a gap, and only that block")
    func damage() throws {
        let (fixture, text) = try sealed(4 << 20)
        let path = fixture.layout.segment(0)
        let header = try SegmentFile(path: path, fileSystem: fixture.store.fileSystem).headers[5]
        let file = try StoredFile(path, .update, on: fixture.store.fileSystem)
        try file.write(at: header.framePosition + 100, [0xff, 0xff, 0xff, 0xff])
        let reading = try read(fixture)
        #expect(reading.missing == [.init(from: header.offset, to: header.end, reason: .corruption)])
        #expect(reading.bytes.count == text.count - Int(header.rawLength))
        #expect(try fixture.read().missing == reading.missing)
    }

    @Test("a reader that stops early, and one that jumps, leave nothing that a later one waits for")
    func leaving() throws {
        let (fixture, text) = try sealed(6 << 20)
        let group = ReaderGroup(readsAhead: true)
        let reader = fixture.store.reader(of: fixture.stream, group: group)
        let offsets = try reader.summaries().map(\.offset)
        for offset in [offsets[0], offsets[12], offsets[3], offsets[3], offsets[20], offsets[1]] {
            let batch = try #require(try reader.batch(at: Cursor(offset: offset)))
            #expect(batch.block.text.elementsEqual(text[Int(offset)..<Int(batch.block.end)]))
        }
        for _ in 0..<20 {
            _ = try fixture.store.reader(of: fixture.stream, group: ReaderGroup(readsAhead: true)).batch(at: .start)
        }
        #expect(isSame(try read(fixture).bytes, text))
    }

    @Test("many readers at once share the threads")
    func concurrency() async throws {
        let (fixture, text) = try sealed(4 << 20)
        let (store, stream) = (fixture.store, fixture.stream)
        try await withThrowingTaskGroup(of: Bool.self) { readers in
            for _ in 0..<8 {
                readers.addTask {
                    let reader = store.reader(of: stream, group: ReaderGroup(readsAhead: true))
                    return isSame(try Reading(StreamBatches(reader, from: .start)).bytes, text)
                }
            }
            for try await isRight in readers {
                #expect(isRight)
            }
        }
    }

    @Test("a stream that is sealed meanwhile is read on")
    func growing() throws {
        let fixture = try StoreFixture(root: folder.path)
        let group = ReaderGroup(readsAhead: true)
        let follower = StreamBatches(fixture.store.reader(of: fixture.stream, group: group), from: .start)
        var (read, written): ([UInt8], [UInt8]) = ([], [])
        for round in 0..<12 {
            let text = consoleText(600_000, from: round * 10_000)
            written += text
            try fixture.append(text)
            if round % 3 > 0 {
                try fixture.sealAndSync()
            }
            while let batch = try follower.next() {
                read += batch.block.text[Int(batch.start - batch.block.offset)...]
            }
        }
        #expect(read == written)
    }
}
