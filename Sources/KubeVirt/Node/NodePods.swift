// SPDX-License-Identifier: Apache-2.0

public import LogModel

/// The VMs of a node, and the files of their logs: what the folders of the node and the Kubernetes API show together. A
/// state machine without I/O.
///
/// A VM is named by the API, now or before a restart, or by the name of its pod's log folder, which the kubelet has made.
/// Until either is known it waits a moment; then its log goes under the UID of its instance, and stays there, under the
/// name that becomes known later. Names that a pod could choose itself, such as those of files in its volumes, name no VM.
public struct NodePods: Sendable {
    /// A change.
    public enum Event: Hashable, Sendable {
        /// A pod has a folder. `instances` are the UIDs by which folders in its volume `private` are named.
        case folder(pod: String, instances: [String], created: Int)
        case folderGone(pod: String)
        /// A pod has a folder with logs.
        case logFolder(PodLogFolder)
        case logFolderGone(pod: String)
        /// The node's virt-launcher pods in the API are these.
        case pods([LauncherPod])
    }

    /// The logs of a VM.
    public struct VM: Hashable, Sendable {
        public var identity: VMIdentity
        /// The files of its serial console, the oldest pod's first.
        public var consoles: [Console]
        /// The log of virt-launcher in its newest pod.
        public var launcher: File?
        /// The log of QEMU in its newest pod.
        public var machine: File?
    }

    /// A file, and what identifies it.
    public struct File: Hashable, Sendable {
        public var id: String
        public var path: String
        /// Links are refused below this folder.
        public var trustedFolder: String?
    }

    /// The log of a serial console, in one pod.
    public struct Console: Hashable, Sendable {
        public var file: File
        /// The pod, and its node.
        public var origin: String
        /// Whether the VM was started in this pod.
        public var startsVM: Bool
    }

    struct Entry {
        var firstSeen: Int64
        var instances: [String] = []
        var created = 0
        var hasFolder = false
        var wasFound = false
        var logFolder: PodLogFolder?
        var pod: LauncherPod?
        /// Decided once: what is stored belongs to it.
        var identity: VMIdentity?
    }

    private let folders: NodeFolders
    /// Whether there is an API to wait for.
    private let awaitsAPI: Bool
    private let node: String?
    private let isStored: @Sendable (String) -> Bool
    /// The VMs that the API has named, by the UIDs of their pods: to be known after a restart, when the API may be away.
    public private(set) var named: [String: VMIdentity]
    private(set) var entries: [String: Entry] = [:]
    private var hasAnswer = false

    /// How long a VM without a name waits for one, in microseconds.
    static let nameTimeout: Int64 = 5_000_000

    /// The pods of `node`; `named` is what an earlier process knew. `isStored` says whether there is a log under the UID of
    /// an instance.
    public init(
        _ folders: NodeFolders,
        awaitsAPI: Bool,
        node: String? = nil,
        named: [String: VMIdentity] = [:],
        isStored: @escaping @Sendable (String) -> Bool
    ) {
        self.folders = folders
        self.awaitsAPI = awaitsAPI
        self.node = node
        self.named = named
        self.isStored = isStored
    }

    /// Applies a change, at a monotonic time in microseconds.
    public mutating func apply(_ event: Event, at now: Int64) {
        switch event {
        case .folder(let pod, let instances, let created):
            change(pod, at: now) { entry in
                (entry.hasFolder, entry.wasFound) = (true, true)
                entry.instances = instances.filter { VMIdentity.canonicalUUID($0) == $0 }.sorted()
                entry.created = created
            }
        case .folderGone(let pod):
            entries[pod]?.hasFolder = false
            if entries[pod]?.pod == nil {
                entries[pod] = nil
                named[pod] = nil
            }
        case .logFolder(let folder):
            change(folder.uid, at: now) { $0.logFolder = folder }
        case .logFolderGone(let pod):
            entries[pod]?.logFolder = nil
            if entries[pod]?.hasFolder == false, entries[pod]?.pod == nil {
                entries[pod] = nil
            }
        case .pods(let pods):
            hasAnswer = true
            applyPods(pods, at: now)
        }
        decideIdentities(at: now)
    }

    private mutating func change(_ pod: String, at now: Int64, _ body: (inout Entry) -> Void) {
        body(&entries[pod, default: Entry(firstSeen: now)])
    }

    private mutating func applyPods(_ pods: [LauncherPod], at now: Int64) {
        let known = Set(pods.map(\.uid))
        for (uid, entry) in entries where entry.pod != nil && !known.contains(uid) {
            entries[uid]?.pod = nil
            if !entry.hasFolder {
                entries[uid] = nil
            }
        }
        for pod in pods where Self.isValid(pod) {
            change(pod.uid, at: now) { $0.pod = pod }
        }
        named = named.filter { entries[$0.key] != nil }
    }

    /// Whether what becomes a part of paths is what an API server sends.
    private static func isValid(_ pod: LauncherPod) -> Bool {
        VMIdentity.canonicalUUID(pod.uid) == pod.uid && !(pod.namespace + pod.name).utf8.contains(UInt8(ascii: "/"))
    }

    // MARK: - Names

    /// Decides the identities of VMs that have a name, or have waited for long enough.
    private mutating func decideIdentities(at now: Int64) {
        for (uid, entry) in entries {
            guard let instance = Self.instance(of: entry) else {
                continue
            }
            let name = Self.name(of: entry)
            if let known = entry.identity {
                // A VM under its UID gets the name that is known now.
                if known.uuid != nil, let name {
                    entries[uid]?.identity = Self.identity(name, uuid: known.uuid)
                }
            } else if isStored(instance) {
                entries[uid]?.identity = name.map { Self.identity($0, uuid: instance) } ?? Self.identity(instance)
            } else if let identity = name.map({ Self.identity($0, uuid: nil) }) ?? named[uid] {
                entries[uid]?.identity = identity
            } else if now >= Self.deadline(of: entry, awaitsAPI && !hasAnswer), !hasAnswer {
                entries[uid]?.identity = Self.identity(instance)
            }
            if entry.pod != nil, let identity = entries[uid]?.identity, identity.uuid == nil {
                named[uid] = identity
            }
        }
    }

    private static func identity(_ name: (namespace: String, vm: String), uuid: String?) -> VMIdentity {
        VMIdentity(name: name.vm, uuid: uuid, namespace: name.namespace)
    }

    private static func identity(_ instance: String) -> VMIdentity { VMIdentity(name: instance, uuid: instance) }

    /// The UID of the instance that a pod runs; nil when that is not known yet.
    private static func instance(of entry: Entry) -> String? {
        entry.pod.flatMap { (try? ConsoleFiles(uid: $0.instance))?.uid } ?? entry.instances.first
    }

    private static func name(of entry: Entry) -> (namespace: String, vm: String)? {
        let found =
            entry.pod.map { ($0.namespace, $0.vm) }
            ?? entry.logFolder.flatMap { folder in folder.vm.map { (folder.namespace, $0) } }
        guard let found, VMIdentity.fault(inName: found.0) == nil, VMIdentity.fault(inName: found.1) == nil else {
            return nil
        }
        return found
    }

    private static func deadline(of entry: Entry, _ waits: Bool) -> Int64 {
        waits ? entry.firstSeen + nameTimeout : .min
    }

    /// When VMs without a name are not to wait any longer, in monotonic microseconds: `expire` is to be called then.
    public var deadline: Int64? {
        guard awaitsAPI, !hasAnswer else {
            return nil
        }
        return entries.values.filter { $0.identity == nil && Self.instance(of: $0) != nil }
            .map { $0.firstSeen + Self.nameTimeout }.min()
    }

    /// VMs without a name have waited until `now`.
    public mutating func expire(at now: Int64) {
        decideIdentities(at: now)
    }

    // MARK: - Logs

    /// The VMs that have logs here, by identity.
    public var vms: [VM] {
        var found: [VMIdentity: [(uid: String, entry: Entry)]] = [:]
        for (uid, entry) in entries where entry.hasFolder || !entry.wasFound {
            if let identity = entry.identity {
                found[identity, default: []].append((uid, entry))
            }
        }
        return found.map { identity, pods in
            let pods = pods.sorted { ($0.entry.created, $0.uid) < ($1.entry.created, $1.uid) }
            var vm = VM(identity: identity, consoles: pods.compactMap { console(of: $0.uid, $0.entry) })
            if let newest = pods.last {
                vm.launcher = launcherLog(of: newest.uid, newest.entry)
                vm.machine = machineLog(of: newest.uid, newest.entry, identity)
            }
            return vm
        }.sorted { ($0.identity.namespace ?? "", $0.identity.name) < ($1.identity.namespace ?? "", $1.identity.name) }
    }

    private func console(of uid: String, _ entry: Entry) -> Console? {
        guard let instance = Self.instance(of: entry) else {
            return nil
        }
        let path = folders.console(of: uid, instance)
        let name = entry.pod?.name ?? entry.logFolder?.pod ?? uid
        return Console(
            file: File(id: uid + "/" + instance, path: path, trustedFolder: folders.volume(of: uid)),
            origin: name + (node.map { " on \($0)" } ?? ""),
            startsVM: entry.pod?.isMigrationTarget != true
        )
    }

    private func launcherLog(of uid: String, _ entry: Entry) -> File? {
        let folder = entry.pod.map { PodLogFolder(namespace: $0.namespace, pod: $0.name, uid: uid) } ?? entry.logFolder
        return folder.flatMap { folders.launcherLog(of: $0) }.map { File(id: uid, path: $0) }
    }

    private func machineLog(of uid: String, _ entry: Entry, _ identity: VMIdentity) -> File? {
        guard Self.name(of: entry) != nil else {
            return nil
        }
        return File(id: uid, path: folders.machineLog(of: uid, identity), trustedFolder: folders.volume(of: uid))
    }
}
