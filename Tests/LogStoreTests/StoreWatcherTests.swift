// SPDX-License-Identifier: Apache-2.0

import LogModel
import Synchronization
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import LogStore

/// What other processes store, as followers in this one learn it.
@Suite(.blocking) struct StoreWatcherTests {
    private let folder = TemporaryFolder()
    private let clock = ManualClock()
    private let notifier = CommitNotifier()
    private let changes = Changes()

    private final class Changes: Sendable {
        private let seen = Mutex<(streams: Set<StreamID>, others: Int)>(([], 0))

        func add(_ new: StoreChanges) {
            seen.withLock { seen in
                switch new {
                case .streams(let streams): seen.streams.formUnion(streams)
                case .anything: seen.others += 1
                }
            }
        }

        func contains(_ stream: StreamID) -> Bool { seen.withLock { $0.streams.contains(stream) } }
        var others: Int { seen.withLock { $0.others } }
        func clear() { seen.withLock { $0 = ([], 0) } }
    }

    private var store: Store { Store(root: folder.path) }

    private func open(_ name: String) throws -> VMStore {
        try VMStore(store: store, name: name, hostBoot: "boot-1", now: clock.time)
    }

    private func append(_ vm: VMStore) throws {
        clock.advance(1000)
        let writer = try vm.open(.console0, now: clock.time)
        try Array("words\n".utf8).withUnsafeBytes { try writer.append($0, time: clock.time) }
    }

    private func started() throws -> StoreWatcher {
        let watcher = try StoreWatcher(store, notifier) { Issue.record("\($0)") }
        try watcher.start()
        return watcher
    }

    private func subscribe() -> CommitNotifier.Subscription {
        notifier.subscribe(to: nil) { [changes] in changes.add($0) }
    }

    @Test("commits of others are notified: to streams that were there, and to new streams and VMs")
    func others() throws {
        let old = try open("old")
        try append(old)
        // Files of the store's that are no VMs'.
        _ = try StoreIdentity(of: store)
        let watcher = try started()
        defer { watcher.stop() }
        let subscription = subscribe()
        let first = StreamID(vm: "old", stream: .console0)
        // It was committed before, perhaps after the follower had read.
        #expect(eventually { changes.contains(first) })
        for _ in 0..<3 {
            changes.clear()
            try append(old)
            #expect(eventually { changes.contains(first) })
        }
        changes.clear()
        let new = try open("new")
        #expect(eventually { changes.others > 0 })
        try append(new)
        #expect(eventually { changes.contains(StreamID(vm: "new", stream: .console0)) })
        // A VM that is moved away, and made again.
        try store.fileSystem.rename(store.root + "/new", to: store.root + "/.aside")
        let again = try open("new")
        for _ in 0..<2 {
            changes.clear()
            try append(again)
            #expect(eventually { changes.contains(StreamID(vm: "new", stream: .console0)) })
        }
        withExtendedLifetime(subscription) {}
    }

    @Test("streams of this process are not watched as long as it writes them")
    func own() throws {
        let (mine, other) = (StreamID(vm: "mine", stream: .console0), StreamID(vm: "other", stream: .console0))
        let (own, foreign) = (try open("mine"), try open("other"))
        notifier.began(mine)
        let watcher = try started()
        defer { watcher.stop() }
        let subscription = subscribe()
        try append(own)
        try append(foreign)
        #expect(eventually { changes.contains(other) })
        #expect(!changes.contains(mine))
        notifier.ended(mine)
        #expect(eventually { changes.contains(mine) })
        changes.clear()
        try append(own)
        #expect(eventually { changes.contains(mine) })
        // From here on it is this process's again, and its watch ends with the next event.
        notifier.began(mine)
        try append(own)
        try append(foreign)
        #expect(eventually { changes.contains(other) })
        withExtendedLifetime(subscription) {}
    }

    @Test("without subscriptions nothing is watched, and a later one learns of everything")
    func subscriptions() throws {
        let vm = try open("web")
        let watcher = try started()
        defer { watcher.stop() }
        let stream = StreamID(vm: "web", stream: .console0)
        for _ in 0..<3 {
            let subscription = subscribe()
            try append(vm)
            #expect(eventually { changes.contains(stream) })
            withExtendedLifetime(subscription) {}
            changes.clear()
        }
    }
}
