// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import Capture

/// Streams without text, VMs that end, and the files of both.
@Suite(.blocking) struct DeferredWorkTests {
    private static func name(_ number: Int) -> String { "silent-\(number)" }

    /// Switches machines on that say nothing.
    private static func switchOn(_ numbers: Range<Int>, at site: Site) throws {
        try site.onShard { capture, shard in
            for number in numbers {
                let key = StreamKey(name: name(number))
                let intake = try capture.open(key, options: StreamOptions(rate: nil), on: shard)
                intake.mark(.boot(.powerOn))
            }
        }
    }

    private static func boots(of vm: String, at site: Site) -> [BootEvent] {
        ((try? site.stored(vm).boots) ?? []).map(\.event)
    }

    @Test("the text of one machine does not wait for the files of many that are switched on and silent")
    func storm() throws {
        let site = try Site()
        try site.capture.awaitStore()
        // The writer cannot create anything while the machines are switched on and the other one speaks.
        site.fileSystem.set(.hanging)
        try Self.switchOn(0..<200, at: site)
        try site.write("hello\n", by: StreamKey(name: "talker"))
        site.fileSystem.set(.healthy)
        #expect(eventually { site.text("talker") == "hello\n" })
        let store = site.folder.path + "/store/"
        let before = site.fileSystem.madeFolders.prefix { $0 != store + "talker" }
        #expect(before.count { $0.hasPrefix(store + "silent-") } <= 4, "\(before)")
        #expect(eventually { (0..<200).allSatisfy { Self.boots(of: Self.name($0), at: site) == [.powerOn] } })
    }

    @Test(
        "a machine that was switched on, said nothing and went off has both markers, in this order, and is closed",
        arguments: [false, true]
    )
    func whole(isCommitted: Bool) throws {
        let site = try Site()
        try site.capture.awaitStore()
        site.fileSystem.set(.hanging)
        try site.onShard { capture, shard in
            let key = StreamKey(name: Self.name(1))
            let intake = try capture.open(key, options: StreamOptions(rate: nil), on: shard)
            intake.mark(.boot(.powerOn))
            intake.mark(.boot(.closed))
            intake.close()
            if isCommitted {
                capture.commit(key, on: shard) {}
            }
        }
        site.fileSystem.set(.healthy)
        #expect(eventually { Self.boots(of: Self.name(1), at: site) == [.powerOn, .closed] })
        #expect(eventually { site.isClosed(Self.name(1)) })
    }

    @Test("what a silent machine says later follows the marker of its start")
    func speaks() throws {
        let site = try Site()
        try site.capture.awaitStore()
        site.fileSystem.set(.hanging)
        try Self.switchOn(0..<2, at: site)
        try site.onShard { capture, shard in
            let key = StreamKey(name: Self.name(2))
            let intake = try capture.open(key, options: StreamOptions(rate: nil), on: shard)
            intake.mark(.boot(.powerOn))
            Array("hello\n".utf8).withUnsafeBytes { intake.put($0) }
        }
        site.fileSystem.set(.healthy)
        #expect(eventually { site.text(Self.name(2)) == "hello\n" })
        #expect(try site.stored(Self.name(2)).markers.first?.index == 0)
        #expect(Self.boots(of: Self.name(2), at: site).first == .powerOn)
    }

    @Test("what is known of silent machines outlives the process, also when it is killed")
    func successors() throws {
        let site = try Site()
        try site.capture.awaitStore()
        site.fileSystem.set(.hanging)
        try Self.switchOn(0..<20, at: site)
        let afterKill = try Site(after: site)
        site.fileSystem.set(.healthy)
        try site.restart()
        for site in [site, afterKill] {
            #expect(
                eventually { (0..<20).allSatisfy { Self.boots(of: Self.name($0), at: site).first == .powerOn } }
            )
        }
    }

    @Test("items are done in their order, a machine's closing once, with pauses as long as they take")
    func pace() {
        var work = DeferredWork()
        let vms = (0..<5).map { VMIdentity(name: "vm-\($0)") }
        vms.forEach { work.add(.closing($0, directory: $0.directoryName)) }
        func next() -> VMIdentity? {
            guard case .closing(let vm, _) = work.takeFirst() else {
                return nil
            }
            return vm
        }
        #expect(work.due == 0 && next() == vms[0])
        work.note(begin: 1000, end: 1200)
        #expect(work.due == 1200 + DeferredWork.interval)
        work.note(begin: 1000, end: 1000 + 7 * DeferredWork.interval)
        #expect(work.due == 1000 + 14 * DeferredWork.interval)
        vms.forEach { work.add(.closing($0, directory: $0.directoryName)) }
        #expect((0..<5).map { _ in next() } == Array(vms[1...]) + [vms[0]])
        #expect(next() == nil && work.due == nil)
    }

    @Test("many machines that end at once are all closed cleanly")
    func ends() throws {
        let site = try Site()
        for number in 0..<100 {
            try site.write("hello\n", by: StreamKey(name: Self.name(number)))
        }
        #expect(eventually { (0..<100).allSatisfy { site.isClosed(Self.name($0)) } })
        #expect((0..<100).allSatisfy { site.text(Self.name($0)) == "hello\n" })
    }

    @Test("a stream that is opened and closed for each message loses none, and its machine is closed after the last")
    func messages() throws {
        let site = try Site()
        for _ in 0..<2000 {
            try site.write("hello\n", by: StreamKey(name: "messages"))
        }
        #expect(eventually { site.isClosed("messages") && site.text("messages").count == 12_000 })
    }
}
