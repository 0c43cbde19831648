// SPDX-License-Identifier: Apache-2.0

import Capture
import Glibc
import KubeVirt
import LogModel
import LogStore
import RuntimeSources
import Synchronization
import SystemIO

/// Finds the logs of the VMs that KubeVirt runs on this node, on a thread of its own, and has them read: the folders of
/// pods and the Kubernetes API, which may be away, tell `NodePods` what there is.
///
/// Only files are read. A console's socket is never connected to: it has one client, which is `virtctl console`.
final class NodeLogs: Sendable {
    private let settings: NodeSettings
    private let capture: CaptureService
    private let sources: SourceService
    private let interruption: Interruption
    private let changed: WakeEvent
    private let events = Mutex<[NodePods.Event]>([])
    private let thread = Mutex<WorkerThread?>(nil)
    private let pods: NodePodList?

    init(_ settings: NodeSettings, capture: CaptureService, sources: SourceService) throws {
        self.settings = settings
        self.capture = capture
        self.sources = sources
        interruption = try Interruption()
        changed = try WakeEvent()
        pods = settings.node.map { NodePodList(settings, node: $0, capture: capture) }
    }

    /// Begins. Call once.
    func start() throws(SystemError) {
        pods?.start { [weak self] pods in self?.add(.pods(pods)) }
        let thread = try WorkerThread(name: "kubevirt") { [self] in
            run()
        }
        self.thread.withLock { $0 = thread }
    }

    /// Ends, and waits for the thread.
    func stop() {
        pods?.stop()
        interruption.raise()
        thread.withLock { thread in
            thread?.join()
            thread = nil
        }
    }

    private func add(_ event: NodePods.Event) {
        events.withLock { $0.append(event) }
        changed.signal()
    }

    private func run() {
        let store = capture.store
        let names = NodeNames(store)
        var savedNames = names.load()
        var state = NodePods(settings.folders, awaitsAPI: pods != nil, node: settings.node, named: savedNames) { uid in
            store.vm(in: uid) != nil
        }
        let watch = PodFolderWatch(settings.folders, problems: capture.problems, diagnostics: capture.diagnostics)
        var published: [SourceDefinition] = []
        while !interruption.isRaised() {
            let now = capture.clock.monotonicMicroseconds()
            let found =
                watch.changes(at: now)
                + events.withLock { events in
                    defer { events = [] }
                    return events
                }
            found.forEach { state.apply($0, at: now) }
            state.expire(at: now)
            let wanted = state.vms.flatMap(NodeSources.definitions)
            if wanted != published {
                published = wanted
                sources.setFiles(wanted)
            }
            // Afterwards: a pod's log is to be open before the pod is removed, whatever the store's disk does.
            if state.named != savedNames {
                // What cannot be written now is written at the next change.
                try? names.save(state.named)
                savedNames = state.named
            }
            wait(for: watch, until: [state.deadline, watch.deadline].compactMap { $0 }.min())
        }
    }

    private func wait(for watch: PodFolderWatch, until deadline: Int64?) {
        var polled = [pollfd(interruption.descriptor), pollfd(changed.descriptor), pollfd(watch.descriptor ?? -1)]
        Poll.wait(for: &polled, microseconds: deadline.map { $0 - capture.clock.monotonicMicroseconds() })
        changed.sleep(microseconds: 0)
    }
}
