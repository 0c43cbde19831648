import ArgumentParser
import ControlAPI
import Glibc
import GuestlogService
import LogModel
import LogStore
import SystemIO

/// The options every command takes: where store, daemon and configuration are.
struct PlaceOptions: ParsableArguments {
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

    /// Whether the command line names a store, and no daemon.
    var namesStoreOnly: Bool { store != nil && socket == nil }

    /// The store, if this process may read it and the daemon was not named instead. Throws when the store was named and
    /// cannot be read: the daemon's is another.
    func readableStore() throws -> Store? {
        if socket != nil, store == nil {
            return nil
        }
        let root = try configuration().store
        if access(root, R_OK | X_OK) == 0 {
            return Store(root: root)
        }
        guard namesStoreOnly else {
            return nil
        }
        throw SystemError("read the store", Terminal.safe(root))
    }
}

/// The moment a command begins.
func presentMoment() -> Timestamp {
    Timestamp(microseconds: SystemClock().wallMicroseconds())
}
