// SPDX-License-Identifier: Apache-2.0

import Capture
import KubeVirt
import LogModel
import LogStore
import SystemIO

/// Joins the logs of pods into the logs of their VMs, in a temporary store, from which they are read like all logs.
actor ConsoleCollector {
    private struct Console {
        let vm: VMStore
        let stream: StreamID
        var text: TimedConsole
        /// The pods of all runs of the VM: the last lines of one may come after its next has started.
        var sequence = PodSequence()
        /// The runs whose beginnings are marked.
        var instances: Set<String> = []
    }

    /// What the store keeps of one VM while it is followed, in bytes: the rest has been printed.
    private static let quota = 64 << 20
    /// Bytes received between two checks of that.
    private static let checkInterval = 8 << 20

    nonisolated let store: Store
    nonisolated let notifier = CommitNotifier()
    /// Whether the log is printed while it is collected, and removed then.
    private let isFollowed: Bool
    private let retention: Retention
    private var consoles: [String: Console] = [:]
    private var received = 0

    /// A collector that writes into `store`, whose folder exists.
    init(_ store: Store, isFollowed: Bool) {
        self.store = store
        self.isFollowed = isFollowed
        retention = Retention(store: store) { _ in Quota(bytes: Self.quota) }
    }

    /// Begins to collect the log of `pod`: the last one of its VM so far.
    func add(_ pod: LauncherPod) throws {
        let key = pod.namespace + "/" + pod.vm
        var console = try consoles[key] ?? open(pod)
        if console.instances.isEmpty {
            try Self.beginRun(of: pod, in: &console)
            notifier.notify(console.stream)
        }
        console.sequence.add(pod)
        consoles[key] = console
    }

    /// Marks that the run of the VM begins whose first pod is `pod`, unless that is marked; returns whether it was not.
    @discardableResult
    private static func beginRun(of pod: LauncherPod, in console: inout Console) throws -> Bool {
        let isFirst = console.instances.isEmpty
        guard console.instances.insert(pod.instance).inserted else {
            return false
        }
        if !isFirst {
            try console.text.note(.closed, time: presentMoment())
        }
        try console.text.note(.powerOn, time: Timestamp(rfc3339: pod.created.utf8) ?? presentMoment())
        return true
    }

    private func open(_ pod: LauncherPod) throws -> Console {
        let now = presentMoment()
        let vm = try VMStore(store: store, name: pod.vm, namespace: pod.namespace, hostBoot: "", now: now)
        let writer = try vm.open(.console0, now: now)
        notifier.notify(vm: vm.vm.directory)
        let stream = StreamID(vm: vm.vm.directory, stream: .console0)
        return Console(vm: vm, stream: stream, text: TimedConsole(writer))
    }

    /// Whether no line was received.
    var isEmpty: Bool { received == 0 }

    /// Takes lines of `pod`, which was added.
    func receive(_ lines: [PodLogLine], from pod: LauncherPod) throws {
        let now = SystemClock().monotonicMicroseconds()
        try change(pod) { sequence in
            lines.flatMap { sequence.receive($0, from: pod.uid, at: now) }
        }
        received += lines.reduce(0) { $0 + $1.text.count }
        if isFollowed, received > Self.checkInterval {
            received = 0
            _ = try retention.enforceAll(now: presentMoment())
        }
        expireLater(pod, at: now)
    }

    /// The log of `pod` has ended.
    func end(_ pod: LauncherPod) throws {
        try change(pod) { $0.end(pod.uid) }
    }

    /// Has lines that are held for too long passed on.
    private func expireLater(_ pod: LauncherPod, at now: Int64) {
        guard let deadline = consoles[pod.namespace + "/" + pod.vm]?.sequence.deadline else {
            return
        }
        Task { [weak self] in
            try await Task.sleep(for: .microseconds(deadline - now))
            try await self?.expire(pod)
        }
    }

    private func expire(_ pod: LauncherPod) throws {
        try change(pod) { $0.expire(at: SystemClock().monotonicMicroseconds()) }
    }

    private func change(_ pod: LauncherPod, _ body: (inout PodSequence) -> [PodSequence.Entry]) throws {
        let key = pod.namespace + "/" + pod.vm
        guard var console = consoles[key] else {
            return
        }
        let entries = body(&console.sequence)
        for entry in entries {
            switch entry {
            case .line(let line):
                try console.text.append(line.text, time: line.time)
            case .boundary(let pod, let time):
                if try !Self.beginRun(of: pod, in: &console) {
                    let origin = pod.name + (pod.node.map { " on \($0)" } ?? "")
                    try console.text.continued(by: origin, time: time)
                }
            }
        }
        consoles[key] = console
        if !entries.isEmpty {
            notifier.notify(console.stream)
        }
    }
}
