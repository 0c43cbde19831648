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
    private var isPolling = false
    private var lastScan: Int64 = 0

    /// The interval at which changes are reported together, in microseconds.
    private static let pause: UInt32 = 20_000
    /// The interval of polls, and the minimum interval between scans of the whole store, in microseconds.
    private static let interval: Int64 = 1_000_000

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
            if watch == nil, !isPolling {
                scan()
            } else {
                vms.forEach(look)
            }
            wait()
            // What belongs together is reported together.
            WorkerThread.pause(microseconds: Self.pause)
            if isPolling {
                notifier.notifyAll()
            } else {
                report(watch?.drain() ?? [])
            }
        }
    }

    /// Waits for an event, or a signal.
    private func wait() {
        guard let watch, !isPolling else {
            return wakeEvent.sleep(microseconds: Self.interval)
        }
        var polled = [watch.descriptor, wakeEvent.descriptor].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        _ = Glibc.poll(&polled, nfds_t(polled.count), -1)
        wakeEvent.sleep(microseconds: 0)
    }

    private func unwatch() {
        watch = nil
        folders = [:]
        watches = [:]
    }

    private func report(_ events: [DirectoryWatch.Event]) {
        var streams: Set<StreamID> = []
        var vms: Set<String> = []
        for event in events {
            guard !event.isOverflow else {
                return overflowed()
            }
            guard let folder = watches[event.watch] else {
                continue
            }
            if event.mask & UInt32(IN_IGNORED) != 0 {
                watches[event.watch] = nil
                folders[folder] = nil
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
        for vm in vms where !VMIdentity.taken.contains(vm) {
            look(at: vm)
            notifier.notify(vm: vm)
        }
    }

    private func overflowed() {
        notifier.notifyAll()
        if SystemClock().monotonicMicroseconds() - lastScan >= Self.interval {
            unwatch()
        }
    }

    /// Begins to watch the whole store.
    private func scan() {
        lastScan = SystemClock().monotonicMicroseconds()
        do throws(SystemError) {
            watch = try DirectoryWatch()
            guard try add("", mask: DirectoryWatch.entries) else {
                return
            }
            for vm in try store.folders() where !VMIdentity.taken.contains(vm) {
                look(at: vm)
            }
        } catch {
            poll(error)
        }
    }

    /// Watches a VM's folder, and those of its streams that are not watched yet and not written by this process. There may
    /// be something in them already.
    private func look(at vm: String) {
        do throws(SystemError) {
            guard !isPolling, try add(vm, mask: DirectoryWatch.entries) || folders[vm] != nil else {
                return
            }
            // A stream's folder is there before the stream is complete.
            for name in try store.fileSystem.names(in: store.path(of: vm)).compactMap(StreamName.init) {
                let stream = StreamID(vm: vm, stream: name)
                if !notifier.isOwn(stream), try add(stream.folder, mask: DirectoryWatch.entriesAndWrites) {
                    notifier.notify(stream)
                }
            }
        } catch {
            poll(error)
        }
    }

    /// Watches a folder; returns whether it was not watched before and is there.
    private func add(_ folder: String, mask: UInt32) throws(SystemError) -> Bool {
        guard folders[folder] == nil, let watch else {
            return false
        }
        do throws(SystemError) {
            let number = try watch.add(folder.isEmpty ? store.root : store.root + "/" + folder, mask: mask)
            folders[folder] = number
            watches[number] = folder
            return true
        } catch {
            // A folder that is gone again has no changes, and a file is none.
            guard [SystemError.notFound, ENOTDIR].contains(error.code) else {
                throw error
            }
            return false
        }
    }

    private func forget(_ folder: String) {
        if let number = folders.removeValue(forKey: folder) {
            watches[number] = nil
            watch?.remove(number)
        }
    }

    private func poll(_ error: SystemError) {
        guard ![SystemError.notFound, EACCES].contains(error.code) else {
            return
        }
        isPolling = true
        unwatch()
        let limits = "fs.inotify.max_user_watches and _instances"
        warn("\(error); the store is looked at once a second instead (limits: \(limits))")
    }
}
