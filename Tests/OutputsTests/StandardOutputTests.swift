// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import LogStore
import SystemIO
import Testing

@testable import Outputs

/// A pipe whose reader reads when the test says so.
private final class PausingReader {
    private let pipe: DescriptorPair
    private(set) var received: [UInt8] = []

    init() throws {
        pipe = try Descriptor.pipe()
        try systemCall("fcntl") { fcntl(pipe.first.raw, F_SETFL, O_NONBLOCK) }
    }

    var output: StandardOutput { StandardOutput(pipe.second.raw, timeout: 10) }

    /// Reads at most `count` bytes of what is there; returns whether there were any.
    @discardableResult
    func read(_ count: Int) -> Bool {
        var buffer = [UInt8](repeating: 0, count: count)
        let found = Glibc.read(pipe.first.raw, &buffer, count)
        received += buffer.prefix(max(0, found))
        return found > 0
    }

    func readAll() {
        while read(65536) {}
    }
}

@Suite struct StandardOutputTests {
    /// Short and long lines of one stream; a long one is a part, which the next one continues.
    private static func batch() -> OutputBatch {
        var batch = OutputBatch()
        let stream = StreamID(vm: "web", stream: .console0)
        batch.origins = [RecordOrigin(stream: stream, vm: VMIdentity(name: "web"))]
        for number in 0..<60 {
            let start = batch.bytes.count
            let isLong = number % 7 == 3
            batch.bytes += Array("record \(number) ".utf8)
            batch.bytes += Array(repeating: UInt8(ascii: "x"), count: isLong ? 30_000 : 300) + [Lines.feed]
            let id = "web/console0/\(start)"
            var item = OutputBatch.Item(range: start..<batch.bytes.count, origin: 0, id: id, time: 0)
            item.isPartial = isLong
            item.continuesPart = number % 7 == 4
            batch.items.append(item)
        }
        return batch
    }

    @Test("a reader that pauses gets whole lines, each once", arguments: [FileFormat.ndjson, .cri])
    func pauses(format: FileFormat) async throws {
        let reader = try PausingReader()
        let destination = FileDestination(FileSettings(.standardOutput, format: format), reader.output)
        let batch = Self.batch()
        var left = Array(batch.items.indices)
        var failures = 0
        while !left.isEmpty {
            switch await destination.send(left, of: batch) {
            case .items(let results):
                let isDelivered = Set(zip(left, results).filter { $1 == .delivered }.map(\.0))
                failures += isDelivered.count < left.count ? 1 : 0
                left.removeAll { isDelivered.contains($0) }
            case .unavailable: failures += 1
            default: Issue.record("unexpected result")
            }
            reader.read(10_000)
        }
        reader.readAll()
        #expect(reader.received == batch.bytes)
        #expect(failures > 1)
        await destination.close()
    }

    @Test("a line that was begun is finished before another follows")
    func finishes() throws {
        let reader = try PausingReader()
        var output = reader.output
        let long = StandardOutput.Piece(id: "a", text: Array(repeating: 0x61, count: 200_000) + [Lines.feed])
        let next = StandardOutput.Piece(id: "b", text: [0x62, Lines.feed])
        let (written, failure) = output.write([long, next])
        #expect(written == 0 && failure != nil && output.begun?.id == "a")
        reader.readAll()
        // The pipe takes some 64 KiB at once.
        while output.write([next]).written == 0 {
            reader.readAll()
        }
        reader.readAll()
        #expect(reader.received == long.text + next.text)
        #expect(output.begun == nil)
    }

    @Test("short lines are not divided")
    func wholeLines() throws {
        let reader = try PausingReader()
        var output = reader.output
        let lines = (0..<2000).map { StandardOutput.Piece(id: "\($0)", text: Array("record \($0) of a batch\n".utf8)) }
        var sent = lines[...]
        while !sent.isEmpty {
            sent = sent.dropFirst(output.write(Array(sent)).written)
            #expect(output.begun == nil)
            reader.readAll()
            #expect(reader.received.last == Lines.feed)
        }
        #expect(reader.received == lines.flatMap(\.text))
    }
}
