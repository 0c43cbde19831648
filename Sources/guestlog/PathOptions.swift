import ArgumentParser
import ControlAPI
import Glibc
import GuestlogService
import LogModel
import LogStore
import SystemIO

/// The options every command takes: where store, daemon and configuration are.
struct PathOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The store's folder (GUESTLOG_STORE).", valueName: "dir"))
    var store: String?

    @Option(help: ArgumentHelp("The daemon's socket (GUESTLOG_SOCKET).", valueName: "path"))
    var socket: String?

    @Option(help: ArgumentHelp("The configuration file (GUESTLOG_CONFIG).", valueName: "file"))
    var config: String?

    /// Where the configuration lies when nobody says otherwise, for root.
    static let standardFile = "/etc/guestlog/guestlog.yaml"

    /// The configuration file that counts: named, or the standard one if it is there.
    var configurationFile: String? {
        let named = config ?? getenv("GUESTLOG_CONFIG").map { String(cString: $0) }
        // The standard one may be absent, though the service's unit names it.
        if let named, named != Self.standardFile {
            return named
        }
        return access(Self.standardFile, F_OK) == 0 ? Self.standardFile : nil
    }

    /// The configuration, with what the command line says put over it.
    func configuration() throws -> Configuration {
        var configuration = try configurationFile.map { try Configuration(file: $0) } ?? Configuration()
        configuration.store = store ?? configuration.store
        if let socket {
            configuration.socket = socket
        }
        return configuration
    }

    /// The daemon.
    func client() throws -> ControlClient {
        ControlClient(socket: try configuration().socket)
    }

    /// Where a command finds the log.
    struct Source {
        /// The store, when this process may read it.
        var store: Store?
        /// The daemon, when there is one that keeps this store, or when nothing else can answer.
        var daemon: ControlClient?

        /// The daemon, which is there where the store is not.
        var client: ControlClient {
            get throws {
                guard let daemon else {
                    throw ControlClient.Unreachable(socket: "", reason: "none was named")
                }
                return daemon
            }
        }
    }

    /// Where to read, by one rule for all commands.
    ///
    /// The store is that of --store, else of GUESTLOG_STORE, else of the configuration. A daemon at the socket that
    /// keeps another one is mentioned when the store was named, and believed when it was not: then the store is the
    /// daemon's. With --socket alone the daemon answers.
    func source() async throws -> Source {
        let configuration = try configuration()
        let daemon = ControlClient(socket: configuration.socket)
        if socket != nil, store == nil {
            return Source(daemon: daemon)
        }
        if store != nil, socket == nil {
            return Source(store: try Self.readable(configuration.store))
        }
        let kept = await daemon.store()
        if let kept, !Self.areSame(kept, configuration.store) {
            guard namesStore else {
                return Source(store: try? Self.readable(kept), daemon: daemon)
            }
            Output.error(
                "the daemon at \(Terminal.safe(configuration.socket)) keeps its store in \(Terminal.safe(kept)); this command "
                    + "reads \(Terminal.safe(configuration.store)); use --store or --socket to choose"
            )
            return Source(store: try Self.readable(configuration.store))
        }
        let store = try? Self.readable(configuration.store)
        return Source(store: store, daemon: kept != nil || store == nil ? daemon : nil)
    }

    /// The store itself, for a command that no daemon can answer.
    func readableStore() async throws -> Store {
        let source = try await source()
        if let store = source.store {
            return store
        }
        return try Self.readable(await source.daemon?.store() ?? configuration().store)
    }

    /// Whether the store was named, by an option or by the environment.
    private var namesStore: Bool {
        store != nil || getenv("GUESTLOG_STORE").map { $0.pointee != 0 } ?? false
    }

    /// Why a store cannot be read.
    struct Unreadable: Error, CustomStringConvertible {
        let root: String
        let code: Int32

        var description: String {
            let root = Terminal.safe(root)
            switch code {
            case ENOENT: return "there is no store at \(root); --store names another"
            case ENOTDIR: return "\(root) is no store: it is not a folder"
            default: return "the store \(root) cannot be read by this user: \(String(cString: strerror(code)))"
            }
        }
    }

    private static func readable(_ root: String) throws(Unreadable) -> Store {
        var status = stat()
        guard stat(root, &status) == 0 else {
            throw Unreadable(root: root, code: errno)
        }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            throw Unreadable(root: root, code: ENOTDIR)
        }
        guard access(root, R_OK | X_OK) == 0 else {
            throw Unreadable(root: root, code: errno)
        }
        return Store(root: root)
    }

    /// Whether both paths lead to one folder.
    private static func areSame(_ path: String, _ other: String) -> Bool {
        var (one, two) = (stat(), stat())
        guard path != other, stat(path, &one) == 0, stat(other, &two) == 0 else {
            return path == other
        }
        return one.st_dev == two.st_dev && one.st_ino == two.st_ino
    }
}

/// The moment a command begins.
func presentMoment() -> Timestamp {
    Timestamp(microseconds: SystemClock().wallMicroseconds())
}
