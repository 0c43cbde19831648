// SPDX-License-Identifier: Apache-2.0

import LogModel
import SystemIO

#if canImport(Glibc)
    import Glibc
#endif

/// Observes changes of the store from outside the daemon: by inotify, or by polling once a second where the kernel
/// refuses a watch. Used by one thread.
public final class FolderObserver: StoreObserver {
    private let root: String
    private let folders: DirectoryWatch?
    /// The streams whose folders are watched.
    private var streams: [Int32: StreamID] = [:]
    private let warn: (String) -> Void
    private var isPolling = false

    /// The polling interval where the kernel refuses a watch, in microseconds.
    private static let pollInterval: Int64 = 1_000_000

    /// An observer of `store`; `warn` is called once if it must poll.
    public init(_ store: Store, warn: @escaping (String) -> Void) {
        root = store.root
        self.warn = warn
        do throws(SystemError) {
            folders = try DirectoryWatch()
        } catch {
            folders = nil
            poll(error)
        }
    }

    private func poll(_ error: SystemError) {
        if !isPolling {
            isPolling = true
            warn("\(error); the store is read once a second instead\(error.watchRemedy)")
        }
    }

    public func observe(_ names: [String]) {
        for name in names {
            do throws(SystemError) {
                let watch = try folders?.add(root + "/" + name, mask: DirectoryWatch.entriesAndWrites)
                if let watch, let stream = StreamID(folder: name) {
                    streams[watch] = stream
                }
            } catch {
                // A folder that is gone again has no changes.
                if error.code != ENOENT {
                    poll(error)
                }
            }
        }
    }

    public func wait(microseconds: Int64?) async -> WakeReason {
        let polls = isPolling && microseconds.map { $0 > Self.pollInterval } ?? true
        let limit = polls ? Self.pollInterval : microseconds
        let milliseconds = limit.map { Int32(clamping: $0 / 1000 + 1) } ?? -1
        guard let folders else {
            _ = Glibc.poll(nil, 0, milliseconds)
            return polls ? .changed(.anything) : .timeout
        }
        folders.wait(milliseconds: milliseconds)
        let changes = folders.drain().reduce(polls ? StoreChanges.anything : .nothing) {
            $0.union(self.changes(of: $1))
        }
        return changes == .nothing ? .timeout : .changed(changes)
    }

    private func changes(of event: DirectoryWatch.Event) -> StoreChanges {
        streams[event.watch].map { .streams([$0]) } ?? .anything
    }

    public func reading<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
        try body()
    }
}
