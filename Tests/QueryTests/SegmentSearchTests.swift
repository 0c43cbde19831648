// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import Query

/// Searches pass over segments whose filters exclude the pattern's literal. That answers are the same otherwise is shown
/// by `RandomQueryTests`, whose segments have filters.
@Suite(.blocking) struct SegmentSearchTests {
    /// A closed segment of one block of random letters, then a line that is not sealed. Its text is damaged: a
    /// reader that decodes it reports a loss.
    private func damagedStore(_ end: String = "\n") throws -> SampleStore {
        let sample = try SampleStore(quota: 64 << 10)
        try sample.add("web")
        var random = SeededGenerator(seed: 1)
        for _ in 0..<400 {
            let letters = (0..<63).map { _ in UInt8.random(in: 0x61...0x6f, using: &random) }
            try sample.append(String(decoding: letters, as: UTF8.self) + "\n")
        }
        try sample.append("Out of memory: killed process 7" + end)
        try sample.roll()
        try sample.seal()
        try sample.synchronize()
        try sample.append("login: zebra\n")
        let id = sample.id()
        let folder = "\(sample.store.root)/\(id.vm)/\(id.stream)"
        let name = try #require(try LinuxFileSystem().names(in: folder).first { $0.hasSuffix(".log.zst") })
        let file = try StoredFile(folder + "/" + name, .update, on: LinuxFileSystem())
        let byte = try #require(try file.read(at: 6000, count: 1).first)
        try file.write(at: 6000, [byte ^ 0xff])
        return sample
    }

    private func answer(_ sample: SampleStore, _ pattern: String, tail: Int? = nil) throws -> String {
        var selection = Selection()
        selection.pattern = try Pattern(pattern)
        selection.tail = tail
        var rendering = Rendering(format: .text)
        rendering.prefix = false
        let query = try LogQuery(
            store: sample.store,
            vms: sample.vms.map(\.vm),
            selection: selection,
            rendering: rendering,
            now: sample.now
        )
        return String(decoding: try RandomQueryTests.drain(query), as: UTF8.self)
    }

    @Test("a segment that cannot have the word is not decoded, also when the last lines are asked for")
    func passedOver() throws {
        let sample = try damagedStore()
        for pattern in ["zebra", "login: z.*"] {
            let (all, last) = (try answer(sample, pattern), try answer(sample, pattern, tail: 1))
            #expect(all == "login: zebra\n")
            #expect(last == "login: zebra\n")
        }
        #expect(try answer(sample, "nosuchword") == "")
    }

    @Test("a segment that may have the word is decoded, and its damage is reported")
    func decoded() throws {
        let sample = try damagedStore()
        let (word, letters) = (try answer(sample, "killed process"), try answer(sample, "[xyz]"))
        #expect(word.contains("missing: damaged"))
        #expect(letters.contains("missing: damaged"))
    }

    @Test("a segment that ends within a line is decoded: the word may go on after it")
    func unfinished() throws {
        let sample = try damagedStore("")
        let text = try answer(sample, "zebra")
        #expect(text.contains("missing: damaged"))
    }
}
