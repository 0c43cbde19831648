// SPDX-License-Identifier: Apache-2.0

import LogModel
import Synchronization
import SystemIO

#if canImport(Glibc)
    import Glibc
#endif

/// Notifies followers in this process of what other processes store: libvirt's log daemon, or `guestlog run`.
///
/// While a `CommitNotifier` has subscriptions, the folders of all streams that this process does not write are watched by
/// inotify, or everything is looked at once a second where the kernel refuses that.
public final class StoreWatcher: @unchecked Sendable {
    // Sendable because the watches are touched on its thread alone; the rest is a mutex, an atomic and a wake event.

    private let store: Store
    private let notifier: CommitNotifier
    private let warn: @Sendable (String) -> Void
    private let wakeEvent: WakeEvent
    private let isStopping = Atomic<Bool>(false)
    /// The VMs' folders in which this process has closed a stream.
    private let released = Mutex<Set<String>>([])
    private var thread: WorkerThread?

    private var watch: DirectoryWatch?
    /// The watched folders, relative to the store's root, and their watches.
    private var folders: [String: Int32] = [:]
    private var watches: [Int32: String] = [:]
    /// Whether everything must be watched anew, and when that was last done (monotonic microseconds; 0: never).
    private var needsScan = true
    private var lastScan: Int64 = 0
    /// Since when the kernel refuses watches; nil while it does not.
    private var refusedSince: Int64?
    private var hasWarned = false

    /// The interval at which changes are reported together, in microseconds.
    private static let pause: UInt32 = 20_000
    /// The interval of polls, and the minimum interval between scans of the whole store, in microseconds.
    private static let interval: Int64 = 1_000_000
    /// After this time a kernel that refused watches is asked again, in microseconds.
    private static let refusalTime: Int64 = 60_000_000
    /// A file has no changes that matter here.
    private static let folderOnly = UInt32(IN_ONLYDIR)

    /// A watcher of `store` for the subscriptions of `notifier`; `warn` is called once if it must poll.
    public init(
        _ store: Store,
        _ notifier: CommitNotifier,
        warn: @escaping @Sendable (String) -> Void
    ) throws(SystemError) {
        self.store = store
        self.notifier = notifier
        self.warn = warn
        wakeEvent = try WakeEvent()
    }

    public func start() throws(SystemError) {
        notifier.onChange { [weak self] change in
            guard let self else {
                return
            }
            if case .ended(let stream) = change {
                released.withLock { _ = $0.insert(stream.vm) }
            }
            wakeEvent.signal()
        }
        thread = try WorkerThread(name: "gl-watch") { [self] in run() }
    }

    public func stop() {
        notifier.onChange(nil)
        isStopping.store(true, ordering: .releasing)
        wakeEvent.signal()
        thread?.join()
        thread = nil
    }

    private func run() {
        while !isStopping.load(ordering: .acquiring) {
            let vms = released.withLock { vms in
                defer { vms.removeAll() }
                return vms
            }
            guard notifier.hasSubscriptions else {
                unwatch()
                wakeEvent.sleep(microseconds: nil)
                continue
            }
            let now = SystemClock().monotonicMicroseconds()
            if let refusedSince, now - refusedSince >= Self.refusalTime {
                self.refusedSince = nil
            }
            if needsScan, refusedSince == nil, now - lastScan >= Self.interval || lastScan == 0 {
                scan()
            }
            vms.forEach(scan(vm:))
            wait(until: lastScan + Self.interval - now)
            // Commits follow each other closely: one report for several.
            WorkerThread.pause(microseconds: Self.pause)
            if refusedSince != nil {
                notifier.notifyAll()
            } else {
                report(watch?.drain() ?? [])
            }
        }
    }

    /// Waits for an event or a signal, and no longer than `untilScan` microseconds when the store must be scanned.
    private func wait(until untilScan: Int64) {
        guard let watch, refusedSince == nil else {
            return wakeEvent.sleep(microseconds: Self.interval)
        }
        var polled = [pollfd(watch.descriptor), pollfd(wakeEvent.descriptor)]
        Poll.wait(for: &polled, microseconds: needsScan ? untilScan : nil)
        wakeEvent.sleep(microseconds: 0)
    }

    private func unwatch() {
        watch = nil
        folders = [:]
        watches = [:]
        (needsScan, lastScan, refusedSince) = (true, 0, nil)
    }

    private func report(_ events: [DirectoryWatch.Event]) {
        var streams: Set<StreamID> = []
        var vms: Set<String> = []
        for event in events {
            guard !event.isOverflow else {
                // Events of new folders may be lost.
                needsScan = true
                return notifier.notifyAll()
            }
            guard let folder = watches[event.watch] else {
                continue
            }
            if event.mask & UInt32(IN_IGNORED | IN_MOVE_SELF | IN_DELETE_SELF) != 0 {
                // There may be another of its name.
                forget(folder)
                vms.insert(folder.split(separator: "/").first.map { String($0) } ?? "")
            } else if let stream = StreamID(folder: folder) {
                streams.insert(stream)
            } else {
                vms.insert(folder.isEmpty ? event.name : folder)
            }
        }
        for stream in streams {
            if notifier.isOwn(stream) {
                forget(stream.folder)
            } else {
                notifier.notify(stream)
            }
        }
        for vm in vms {
            guard !vm.isEmpty else {
                // The store itself was moved or removed.
                needsScan = true
                continue
            }
            scan(vm: vm)
            notifier.notify(vm: vm)
        }
    }

    /// Watches the whole store anew.
    private func scan() {
        unwatch()
        do throws(SystemError) {
            watch = try DirectoryWatch()
            _ = try add("", mask: DirectoryWatch.entries)
        } catch {
            return refused(error)
        }
        needsScan = false
        ((try? store.folders()) ?? []).forEach(scan(vm:))
        lastScan = SystemClock().monotonicMicroseconds()
    }

    /// Watches a VM's folder, and those of its streams that are not watched yet and not written by this process. There may
    /// be something in them already. A folder that cannot be listed is scanned again at its next event.
    private func scan(vm: String) {
        // No VM's folder begins with a dot.
        guard refusedSince == nil, !vm.hasPrefix("."), !VMIdentity.reservedNames.contains(vm) else {
            return
        }
        do throws(SystemError) {
            guard try add(vm, mask: DirectoryWatch.entries) || folders[vm] != nil else {
                return
            }
            // A stream's folder is there before the stream is complete.
            let names = (try? store.fileSystem.names(in: store.path(of: vm))) ?? []
            for name in names.compactMap(StreamName.init) {
                let stream = StreamID(vm: vm, stream: name)
                if !notifier.isOwn(stream), try add(stream.folder, mask: DirectoryWatch.entriesAndWrites) {
                    notifier.notify(stream)
                }
            }
        } catch {
            refused(error)
        }
    }

    /// Watches a folder; returns whether it was not watched before and is there. Throws when the kernel refuses more
    /// watches.
    private func add(_ folder: String, mask: UInt32) throws(SystemError) -> Bool {
        guard folders[folder] == nil, let watch else {
            return false
        }
        do throws(SystemError) {
            let path = folder.isEmpty ? store.root : store.root + "/" + folder
            let number = try watch.add(path, mask: mask | Self.folderOnly)
            folders[folder] = number
            watches[number] = folder
            return true
        } catch {
            guard error.isWatchLimit || error.code == ENOMEM else {
                return false
            }
            throw error
        }
    }

    /// Ends the watches of a folder and of those in it.
    private func forget(_ folder: String) {
        for name in folders.keys where name == folder || name.hasPrefix(folder + "/") {
            if let number = folders.removeValue(forKey: name) {
                watches[number] = nil
                watch?.remove(number)
            }
        }
    }

    private func refused(_ error: SystemError) {
        unwatch()
        refusedSince = SystemClock().monotonicMicroseconds()
        if !hasWarned {
            hasWarned = true
            warn("\(error); the store is read once a second instead\(error.watchRemedy)")
        }
    }
}
