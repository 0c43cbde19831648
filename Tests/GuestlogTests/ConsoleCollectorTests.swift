// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import LogStore
import TestSupport
import Testing

@testable import KubeVirt
@testable import guestlog

/// The logs of pods, joined into those of their VMs.
@Suite struct ConsoleCollectorTests {
    private let folder = TemporaryFolder()
    private let store: Store

    init() {
        store = Store(root: folder.path + "/store")
        mkdir(store.root, 0o755)
    }

    private func pod(_ name: String, instance: String) throws -> LauncherPod {
        let text = """
            {"metadata":{"name":"\(name)","uid":"\(name)","namespace":"shop","creationTimestamp":"2026-08-01T10:00:00Z",
              "labels":{"kubevirt.io":"virt-launcher","kubevirt.io/created-by":"\(instance)"},
              "annotations":{"kubevirt.io/domain":"web"}},
             "spec":{"containers":[{"name":"guest-console-log"}]},"status":{"phase":"Running"}}
            """
        return try #require(LauncherPod(try JSON(parsing: text.utf8)))
    }

    private func line(_ text: String) -> PodLogLine {
        PodLogLine(time: Timestamp(seconds: 1_785_578_400), text: Array((text + "\n").utf8))
    }

    @Test("lines of a VM's earlier run that come after its next has started are stored, before those of the next")
    func lateLines() async throws {
        let (old, new) = (try pod("a", instance: "1"), try pod("b", instance: "2"))
        let collector = ConsoleCollector(store, isFollowed: true)
        try await collector.add(old)
        try await collector.receive([line("one")], from: old)
        try await collector.add(new)
        try await collector.receive([line("three")], from: new)
        try await collector.receive([line("panic")], from: old)
        try await collector.end(old)
        try await collector.receive([line("four")], from: new)
        try await collector.receive([line("late")], from: old)
        let vm = try #require(try store.vms().first)
        let stored = try StoredText(of: StreamID(vm: vm.directory, stream: .console0), in: store)
        #expect(String(decoding: stored.bytes, as: UTF8.self) == "one\npanic\nthree\nfour\nlate\n")
        #expect(stored.boots.map(\.event) == [.powerOn, .closed, .powerOn])
    }
}
