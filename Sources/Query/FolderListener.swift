public import LogStore
import SystemIO

#if canImport(Glibc)
    import Glibc
#endif

/// Hears of news in the store from outside the daemon: by inotify, or, where the kernel refuses it, by looking once a
/// second. Used by one thread.
public final class FolderListener: StoreListener {
    private let root: String
    private let folders: DirectoryWatch?
    private let complain: (String) -> Void
    private var isPolling = false

    /// Where the kernel refuses to tell of change, it is looked for this often, in microseconds.
    private static let pollInterval: Int64 = 1_000_000

    /// A listener in `store`; `complain` is told, once, that it must poll.
    public init(_ store: Store, complain: @escaping (String) -> Void) {
        root = store.root
        self.complain = complain
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
            complain("\(error); looking once a second instead (fs.inotify.max_user_watches and _instances bound it)")
        }
    }

    public func listen(in names: [String]) {
        for name in names {
            do throws(SystemError) {
                _ = try folders?.add(root + "/" + name, mask: DirectoryWatch.entriesAndWrites)
            } catch {
                // What is gone again has nothing to tell.
                if error.code != ENOENT {
                    poll(error)
                }
            }
        }
    }

    public func wait(microseconds: Int64?) async -> News {
        let looksAgain = isPolling && microseconds.map { $0 > Self.pollInterval } ?? true
        let limit = looksAgain ? Self.pollInterval : microseconds
        let milliseconds = limit.map { Int32(clamping: $0 / 1000 + 1) } ?? -1
        guard let folders else {
            _ = Glibc.poll(nil, 0, milliseconds)
            return looksAgain ? .commit : .timeout
        }
        folders.wait(milliseconds: milliseconds)
        return !folders.drain().isEmpty || looksAgain ? .commit : .timeout
    }

    public func reading<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
        try body()
    }
}
