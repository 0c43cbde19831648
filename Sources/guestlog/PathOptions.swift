// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import HTTPAPI
import Glibc
import GuestlogService
import LogStore
import Query
import SystemIO

/// The options of commands that use a store or the daemon: the store, the daemon's socket, the configuration.
struct PathOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The store's folder (GUESTLOG_STORE).", valueName: "dir"), completion: .directory)
    var store: String?

    @Option(help: ArgumentHelp("The daemon's socket (GUESTLOG_SOCKET).", valueName: "path"), completion: .file())
    var socket: String?

    @Option(help: ArgumentHelp("The configuration file (GUESTLOG_CONFIG).", valueName: "file"), completion: .file())
    var config: String?

    /// The default configuration file.
    static let defaultFile = Configuration.usualFile

    /// The effective configuration file: named, or the default one if it exists.
    var configurationFile: String? {
        let named = config ?? Environment["GUESTLOG_CONFIG"]
        // The default one may be absent, though the service's unit names it.
        if let named, named != Self.defaultFile {
            return named
        }
        return access(Self.defaultFile, F_OK) == 0 ? Self.defaultFile : nil
    }

    /// The configuration, with the command line's options applied.
    func configuration() throws -> Configuration {
        var configuration = try configurationFile.map { try Configuration(file: $0) } ?? Configuration()
        configuration.store = store ?? configuration.store
        if let socket {
            configuration.socket = socket
        }
        return configuration
    }

    /// The guests' character sets: `name`, else as configured. An error in the configuration is reported by `readerPaths`.
    func charsets(_ name: String?) throws -> CharsetRules {
        try name.map(RequestWords.charset) ?? (try? configuration())?.charsets ?? CharsetRules()
    }

    /// The store and the socket, with the command line's options applied. An error in the configuration file is only
    /// reported, because it must not keep anybody from reading a log, unless it hides which store or daemon is meant.
    func readerPaths() throws -> ReaderPaths {
        var paths = ReaderPaths()
        if let file = configurationFile, store == nil || socket == nil {
            let read = try Configuration.paths(in: file)
            if let error = read.error {
                guard read.paths != nil || namesStore || socket != nil else {
                    throw PathsUnknown(error: error)
                }
                let used = read.paths == nil ? "nothing is" : "only store and socket are"
                Output.error("\(error); \(used) read from this file; 'guestlog config check' checks it")
            }
            paths = read.paths ?? paths
        }
        paths.store = store ?? paths.store
        paths.socket = socket ?? paths.socket
        return paths
    }

    /// A client of the daemon. Throws `OtherStore` when a store was named rather than a socket, and the daemon at the
    /// socket keeps another store: it must not act on that one.
    func client() async throws -> APIClient {
        let paths = try readerPaths()
        let daemon = APIClient(socket: paths.socket)
        if namesStore, !namesDaemon, let kept = await daemon.store(), !FileAttributes.isSameFile(kept, paths.store) {
            throw OtherStore(socket: paths.socket, kept: kept, wanted: paths.store)
        }
        return daemon
    }

    /// Determines where to read, by one rule for all commands.
    ///
    /// The store is that of --store, else of GUESTLOG_STORE, else of the configuration. When the daemon at the socket
    /// keeps another store, a named store is read with a notice, and an unnamed one gives way to the daemon's. With
    /// --socket alone the daemon answers.
    func source() async throws -> LogSource {
        let configuration = try readerPaths()
        let daemon = APIClient(socket: configuration.socket)
        if socket != nil, store == nil {
            return LogSource(daemon: daemon)
        }
        if store != nil, socket == nil {
            return LogSource(try Self.readable(configuration.store))
        }
        let kept = await daemon.store()
        if let kept, !FileAttributes.isSameFile(kept, configuration.store) {
            guard namesStore else {
                return LogSource(try? Self.readable(kept), daemon: daemon)
            }
            Output.error(
                "the daemon at \(Terminal.safe(configuration.socket)) keeps its store in \(Terminal.safe(kept)); this command "
                    + "reads \(Terminal.safe(configuration.store)); use --store or --socket to choose"
            )
            return LogSource(try Self.readable(configuration.store))
        }
        let found = Result { () throws(StoreUnreadable) in try Self.readable(configuration.store) }
        // A daemon can read for this user, but no daemon makes a store of another folder.
        if namesStore, kept == nil, case .failure(let error) = found, error.isNoStore {
            throw error
        }
        let readable = try? found.get()
        var source = LogSource(readable, daemon: kept != nil || readable == nil ? daemon : nil)
        if kept == nil, !namesStore, LogSource.isStale(configuration.socket) {
            source.staleSocket = configuration.socket
        }
        return source
    }

    /// The configuration of a command that writes to the store itself. Where a socket was named, the store is that of the
    /// daemon there.
    func writerConfiguration() async throws -> Configuration {
        var configuration = try configuration()
        guard namesDaemon else {
            return configuration
        }
        let socket = configuration.socket
        let daemon = APIClient(socket: socket)
        guard let kept = await daemon.store() else {
            if !namesStore {
                _ = try await daemon.get(RequestTarget(["v1", "status"]))
                throw CommandLineError(
                    description: "the daemon at \(Terminal.safe(socket)) does not name its store; use --store"
                )
            }
            return configuration
        }
        guard !namesStore || FileAttributes.isSameFile(kept, configuration.store) else {
            throw CommandLineError(
                description:
                    "the daemon at \(Terminal.safe(socket)) keeps its store in \(Terminal.safe(kept)), not in "
                    + "\(Terminal.safe(configuration.store)); use one of --store and --socket"
            )
        }
        configuration.store = kept
        return configuration
    }

    /// Where a command reads that no daemon can answer: the source that has the store itself, and that store.
    func storeSource() async throws -> (source: LogSource, store: Store) {
        let source = try await source()
        if let store = source.store {
            return (source, store)
        }
        let root: String
        if let kept = await source.daemon?.store() {
            root = kept
        } else {
            root = try readerPaths().store
        }
        let readable = try Self.readable(root)
        return (LogSource(readable, daemon: source.daemon), readable.store)
    }

    /// Whether the store was named, by an option or by the environment.
    var namesStore: Bool { store != nil || Environment["GUESTLOG_STORE"] != nil }
    /// Whether the daemon was named by its socket: an option for the store goes before a socket in the environment.
    var namesDaemon: Bool { socket != nil || store == nil && Environment["GUESTLOG_SOCKET"] != nil }

    /// The store in the folder `root`, and the folders of VMs in it that this user may not read.
    private static func readable(_ root: String) throws(StoreUnreadable) -> (store: Store, hidden: [String]) {
        do throws(SystemError) {
            guard try FileAttributes(following: root).isDirectory else {
                throw SystemError("open", root, code: ENOTDIR)
            }
        } catch {
            throw StoreUnreadable(root: root, code: error.code)
        }
        guard access(root, R_OK | X_OK) == 0 else {
            throw StoreUnreadable(root: root, code: errno)
        }
        let store = Store(root: root).leavingOut(ForbiddenFiles())
        return (store, try hiddenFolders(of: store))
    }

    /// The folders of VMs that this user cannot read. Throws when the folder is not a store, or this user can read none
    /// of its VMs.
    private static func hiddenFolders(of store: Store) throws(StoreUnreadable) -> [String] {
        guard let access = try? StoreAccess(to: store) else {
            throw StoreUnreadable(root: store.root, code: EIO)
        }
        switch access {
        case .readable: return []
        case .notAStore: throw StoreUnreadable(root: store.root, code: EINVAL)
        case .unreadable(let folders):
            let all = (try? store.vms()) ?? []
            guard !all.isEmpty else {
                throw StoreUnreadable(root: store.root, code: EACCES)
            }
            return folders
        }
    }
}
