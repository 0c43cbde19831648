// SPDX-License-Identifier: Apache-2.0

import Capture
import Glibc
import KubeVirt
import LogModel
import SystemIO

/// Watches the folders of a node's pods, with one inotify instance: reports each pod that comes or goes, and its volume
/// `private` when it is made. A pod whose volume is complete is not looked at again.
final class PodFolderWatch {
    private let folders: NodeFolders
    private let problems: Problems
    private let diagnostics: Diagnostics
    private let instance: DirectoryWatch?
    private let add: (DirectoryWatch, String) throws(SystemError) -> Int32
    private var podsWatch: Int32?
    private var logsWatch: Int32?
    /// The pods whose folders are watched until their volume is complete.
    private var podOfWatch: [Int32: String] = [:]
    private var watchOfPod: [String: Int32] = [:]
    private var known: Set<String> = []
    /// The pods that have folders with logs.
    private var logged: Set<String> = []
    /// When everything is to be looked at again, in monotonic microseconds; nil: when something changes.
    private(set) var deadline: Int64? = 0
    private var isPolling = false

    /// The distance between scans where there is nothing to be watched, in microseconds.
    private static let scanInterval: Int64 = 10_000_000
    private static let subject = "kubevirt"

    /// `add` watches a folder.
    init(
        _ folders: NodeFolders,
        problems: Problems,
        diagnostics: Diagnostics,
        add: @escaping (DirectoryWatch, String) throws(SystemError) -> Int32 = { watch, path throws(SystemError) in
            try watch.add(path, mask: DirectoryWatch.entries | UInt32(IN_ONLYDIR))
        }
    ) {
        self.add = add
        self.folders = folders
        self.problems = problems
        self.diagnostics = diagnostics
        do throws(SystemError) {
            instance = try DirectoryWatch()
        } catch {
            instance = nil
            poll(because: error)
        }
    }

    /// Readable when there are changes.
    var descriptor: Int32? { instance?.descriptor }

    private func poll(because error: SystemError) {
        if !isPolling {
            isPolling = true
            let interval = Self.scanInterval / 1_000_000
            diagnostics.log(.warning, "\(error); looking for pods every \(interval) s instead\(error.watchRemedy)")
        }
    }

    /// What has changed since the last call; at first everything.
    func changes(at now: Int64) -> [NodePods.Event] {
        var events: [NodePods.Event] = []
        var changed: Set<String> = []
        for event in instance?.drain() ?? [] {
            let isOfRoots = event.watch == podsWatch || event.watch == logsWatch
            if event.isOverflow || isOfRoots && event.isFolderGone {
                deadline = now
            } else if event.watch == podsWatch {
                apply(event, &changed, &events)
            } else if event.watch == logsWatch {
                applyLogs(event, &events)
            } else if let pod = podOfWatch[event.watch] {
                changed.insert(pod)
            }
        }
        if let deadline, now >= deadline {
            events += scan(at: now, &changed)
        }
        for pod in changed where known.contains(pod) {
            events.append(scan(pod: pod))
        }
        if isPolling {
            deadline = min(deadline ?? .max, now + Self.scanInterval)
        }
        return events
    }

    private func apply(_ event: DirectoryWatch.Event, _ changed: inout Set<String>, _ events: inout [NodePods.Event]) {
        guard VMIdentity.canonicalUUID(event.name) == event.name else {
            return
        }
        if event.mask & UInt32(IN_CREATE | IN_MOVED_TO) != 0 {
            known.insert(event.name)
            changed.insert(event.name)
        } else if known.remove(event.name) != nil {
            forgetWatch(of: event.name)
            events.append(.folderGone(pod: event.name))
        }
    }

    private func applyLogs(_ event: DirectoryWatch.Event, _ events: inout [NodePods.Event]) {
        guard let folder = PodLogFolder(name: event.name) else {
            return
        }
        if event.mask & UInt32(IN_CREATE | IN_MOVED_TO) != 0 {
            logged.insert(folder.uid)
            events.append(.logFolder(folder))
        } else if logged.remove(folder.uid) != nil {
            events.append(.logFolderGone(pod: folder.uid))
        }
    }

    // MARK: - Scanning

    /// Looks at all folders: the logs' first, which name the VMs.
    private func scan(at now: Int64, _ changed: inout Set<String>) -> [NodePods.Event] {
        var events: [NodePods.Event] = []
        deadline = nil
        do throws(SystemError) {
            if let logs = folders.logs {
                logsWatch = try watch(logs) ?? logsWatch
                let found = try names(in: logs).compactMap { PodLogFolder(name: $0) }
                events += logged.subtracting(found.map(\.uid)).map { .logFolderGone(pod: $0) }
                events += found.map { .logFolder($0) }
                logged = Set(found.map(\.uid))
            }
            podsWatch = try watch(folders.pods) ?? podsWatch
            let present = Set(try names(in: folders.pods).filter { VMIdentity.canonicalUUID($0) == $0 })
            for pod in known.subtracting(present) {
                forgetWatch(of: pod)
                events.append(.folderGone(pod: pod))
            }
            known = present
            changed.formUnion(present)
            problems.clear(Self.subject)
        } catch {
            deadline = now + Self.scanInterval
            let problem = "\(error); has the folder been mounted into this container?"
            problems.report(Self.subject, problem, .error, to: diagnostics)
        }
        return events
    }

    private func watch(_ folder: String) throws(SystemError) -> Int32? {
        guard let instance else {
            return nil
        }
        do throws(SystemError) {
            return try add(instance, folder)
        } catch {
            guard error.isWatchLimit else {
                throw error
            }
            poll(because: error)
            return nil
        }
    }

    private func names(in folder: String) throws(SystemError) -> [String] {
        var names: [String] = []
        try DirectoryHandle(folder).forEachName { name in
            if let name = String(validating: name, as: UTF8.self) {
                names.append(name)
            }
        }
        return names
    }

    // MARK: - One pod

    /// Looks for the volume of a pod. Unless it is complete, the lowest folder of it that exists is watched.
    private func scan(pod: String) -> NodePods.Event {
        forgetWatch(of: pod)
        let chain = folders.chain(of: pod)
        // A folder may be made between the attempt to open and to watch it.
        for _ in 0...chain.count {
            if let instances = instances(of: pod), !instances.isEmpty {
                return .folder(pod: pod, instances: instances, created: created(pod))
            }
            guard let lowest = chain.last(where: { FileAttributes(at: $0)?.kind == .directory }) else {
                break
            }
            guard let added = try? watch(lowest) else {
                break
            }
            podOfWatch[added] = pod
            watchOfPod[pod] = added
            let next = chain.firstIndex(of: lowest).map { $0 + 1 } ?? chain.count
            guard next < chain.count ? FileAttributes(at: chain[next]) != nil : instances(of: pod)?.isEmpty == false
            else {
                break
            }
            forgetWatch(of: pod)
        }
        return .folder(pod: pod, instances: [], created: created(pod))
    }

    private func created(_ pod: String) -> Int {
        let path = folders.pods + "/" + pod
        return birthTime(of: path) ?? FileAttributes(at: path)?.changed ?? 0
    }

    private func birthTime(of path: String) -> Int? {
        let (parent, name) = DirectoryHandle.split(path)
        guard let folder = try? DirectoryHandle(parent) else {
            return nil
        }
        return folder.birthTime(of: name).map { Int($0) }
    }

    /// Maximum number of instances in one pod: it has one, and could make any number of folders.
    private static let instanceLimit = 4

    /// The instances that have folders in the volume of a pod; nil when there is no volume.
    private func instances(of pod: String) -> [String]? {
        guard let volume = try? DirectoryHandle(folders.volume(of: pod), trusted: folders.pods) else {
            return nil
        }
        var found: [String] = []
        try? volume.forEachName { bytes in
            guard found.count < Self.instanceLimit, bytes.count == 36,
                let name = String(validating: bytes, as: UTF8.self), VMIdentity.canonicalUUID(name) == name,
                volume.attributes(of: name)?.kind == .directory
            else {
                return
            }
            found.append(name)
        }
        return found
    }

    private func forgetWatch(of pod: String) {
        if let watch = watchOfPod.removeValue(forKey: pod) {
            instance?.remove(watch)
            podOfWatch[watch] = nil
        }
    }
}
