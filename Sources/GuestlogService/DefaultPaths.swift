import Glibc

/// Where things lie when nobody says otherwise.
public struct DefaultPaths: Sendable {
    /// The store's folder.
    public let store: String
    /// The runtime folder.
    public let runtime: String
    /// The API's socket.
    public let socket: String

    /// What the environment names; it comes before the configuration file, as an option on the command line does.
    static var named: (store: String?, socket: String?) { (variable("GUESTLOG_STORE"), variable("GUESTLOG_SOCKET")) }

    /// For a service the folders that systemd made for it, for root /var/lib/guestlog and /run/guestlog, for others the
    /// XDG folders; GUESTLOG_STORE and GUESTLOG_SOCKET come first.
    public init() {
        let home = Self.variable("HOME") ?? "/"
        let isRoot = geteuid() == 0
        let data = isRoot ? "/var/lib" : Self.variable("XDG_DATA_HOME") ?? home + "/.local/share"
        let run = isRoot ? "/run" : Self.variable("XDG_RUNTIME_DIR") ?? home + "/.cache"
        let named = Self.named
        store = named.store ?? Self.folder("STATE_DIRECTORY") ?? data + "/guestlog"
        let folder = Self.folder("RUNTIME_DIRECTORY") ?? run + "/guestlog"
        let path = named.socket ?? folder + "/guestlog.sock"
        socket = path
        runtime = path.lastIndex(of: "/").map { String(path[..<$0]) } ?? folder
    }

    /// The first of the folders that systemd made for the service (systemd.exec(5)).
    private static func folder(_ name: String) -> String? {
        variable(name).flatMap { $0.split(separator: ":").first.map { String($0) } }
    }

    private static func variable(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
    }
}
