// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import Capture

/// What a killed process left of a VM that has another name, or a namespace, in the next process.
@Suite(.blocking) struct RenamedVMTests {
    private static let uuid = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
    private let old = StreamKey(name: "old", uuid: uuid)

    /// A service that finds `text` of `old`, the first of its stream, of which it is not known whether it was stored.
    private func site(leaving text: String) throws -> Site {
        try Site { ring in
            try ring.setKey(try #require(old.encoded), of: 0)
            try ring.leave(text, slot: 0)
            let entry = try #require(ring.entry(at: 0))
            entry.state = .assigned
            entry.offset = 0
        }
    }

    private func name(in site: Site) -> String? {
        Store(root: site.folder.path + "/store").vm(in: Self.uuid)?.identity.name
    }

    @Test(
        "it is stored before the first new byte",
        arguments: [StreamKey(name: "new", uuid: uuid), StreamKey(name: "old", uuid: uuid, namespace: "lab")]
    )
    func inOrder(new: StreamKey) throws {
        let site = try site(leaving: "as old\n")
        try site.write("what the VM prints under its new name\n", by: new)
        #expect(eventually { site.capture.shards[0].ring.used == 0 && site.rings == 1 })
        #expect(site.text(Self.uuid) == "as old\nwhat the VM prints under its new name\n")
        #expect(try site.stored(Self.uuid).gaps.isEmpty)
        #expect(name(in: site) == new.name)
    }

    @Test("it is written to the plain file of a source that is silent, and the VM keeps its new name")
    func silent() throws {
        let site = try site(leaving: "as old\n")
        let path = site.folder.path + "/plain.log"
        let options = StreamOptions(rate: nil, plainFile: StreamOptions.PlainFile(path: path))
        let opened = Opened()
        try site.onShard { capture, shard in
            opened.intake = try capture.open(StreamKey(name: "new", uuid: Self.uuid), options: options, on: shard)
        }
        #expect(eventually { site.text(Self.uuid) == "as old\n" && site.rings == 1 })
        let plain = try StoredFile(path, .read, on: LinuxFileSystem()).read(at: 0, count: 1000)
        #expect(plain == Array("as old\n".utf8))
        #expect(name(in: site) == "new")
        try site.onShard { _, _ in opened.intake?.close() }
    }

    @Test("it does not give its old name to a VM that another stream has renamed")
    func otherStream() throws {
        let site = try site(leaving: "as old\n")
        let opened = Opened()
        let other = StreamKey(name: "new", uuid: Self.uuid, stream: try #require(StreamName("console1")))
        try site.onShard { capture, shard in
            opened.intake = try capture.open(other, options: StreamOptions(rate: nil), on: shard)
            Array("here\n".utf8).withUnsafeBytes { opened.intake?.put($0) }
        }
        #expect(eventually { site.text(Self.uuid) == "as old\n" && site.rings == 1 })
        #expect(name(in: site) == "new")
        try site.onShard { _, _ in opened.intake?.close() }
    }

    @Test("a silent machine that is started again under another name keeps that, and its markers' order")
    func silentBefore() throws {
        let site = try Site()
        try site.capture.awaitStore()
        site.fileSystem.set(.hanging)
        let (old, opened) = (old, Opened())
        try site.onShard { capture, shard in
            // So that the writer cannot take what follows before all of it is there.
            let other = try capture.open(StreamKey(name: "other"), options: StreamOptions(rate: nil), on: shard)
            Array("text\n".utf8).withUnsafeBytes { other.put($0) }
            let first = try capture.open(old, options: StreamOptions(rate: nil), on: shard)
            first.mark(.boot(.powerOn))
            first.mark(.boot(.closed))
            first.close()
            let new = StreamKey(name: "new", uuid: Self.uuid)
            opened.intake = try capture.open(new, options: StreamOptions(rate: nil), on: shard)
            opened.intake?.mark(.boot(.powerOn))
            Array("here\n".utf8).withUnsafeBytes { opened.intake?.put($0) }
        }
        site.fileSystem.set(.healthy)
        #expect(eventually { site.text(Self.uuid) == "here\n" })
        let stored = try site.stored(Self.uuid)
        #expect(stored.boots.map(\.event) == [.powerOn, .closed, .powerOn])
        #expect(stored.boots.map(\.position).allSatisfy { $0 == 0 }, "the text is the last machine's")
        try site.onShard { _, _ in opened.intake?.close() }
        #expect(eventually { site.isClosed(Self.uuid) })
        #expect(name(in: site) == "new")
    }
}
