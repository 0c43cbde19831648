// SPDX-License-Identifier: Apache-2.0

public import Capture
public import LogModel
public import SystemIO

/// What a collector listens on, and for whom.
public struct CollectorOptions: Hashable, Sendable {
    /// How one guest is reached, which identifies it.
    public enum Endpoint: Hashable, Sendable, CustomStringConvertible {
        /// The context id of its vsock device, in this network namespace.
        case context(UInt32)
        /// The Unix socket of a VMM that implements vsock itself, as Firecracker and Cloud Hypervisor do: guests that
        /// connect to the host arrive at `PATH_PORT`.
        case hybrid(path: String)
        /// Connects to the port `port` of the guest, where a program sends lines to each client.
        case dial(path: String, port: UInt32)
        /// The socket on which a VMM listens for the host's end of a virtio-serial port.
        case serial(path: String)
        /// A Unix socket to which this guest alone can connect.
        case unix(path: String)
        /// An address to which this guest alone can connect.
        case tcp(NetworkAddress)

        public var description: String {
            switch self {
            case .context(let context): "CID \(context)"
            case .hybrid(let path): "vsock:\(path)"
            case .dial(let path, let port): "vsock:\(path), port \(port)"
            case .serial(let path): "serial:\(path)"
            case .unix(let path): path
            case .tcp(let address): "tcp:\(address)"
            }
        }
    }

    /// A guest that the configuration names.
    public struct Guest: Hashable, Sendable {
        public var vm: VMIdentity
        public var endpoint: Endpoint

        public init(vm: VMIdentity, endpoint: Endpoint) {
            self.vm = vm
            self.endpoint = endpoint
        }
    }

    /// Guests that are found in folders, by the paths of their sockets.
    public struct Pattern: Hashable, Sendable, CustomStringConvertible {
        /// What the paths are.
        public enum Kind: Hashable, Sendable {
            /// Sockets of VMMs that implement vsock themselves.
            case hybrid
            /// Such sockets; connects to the port `port` of the guests.
            case dial(port: UInt32)
            /// Sockets on which VMMs listen for the host's end of a virtio-serial port.
            case serial
            /// Folders, in each of which the collector listens on a socket with this name.
            case listen(name: String)
        }

        public var path: PathPattern
        public var kind: Kind

        public init(_ path: PathPattern, _ kind: Kind) {
            self.path = path
            self.kind = kind
        }

        /// Whether a file of this kind is what its paths are.
        func accepts(_ kind: FileAttributes.Kind) -> Bool {
            if case .listen = self.kind { kind == .directory } else { kind == .socket }
        }

        /// The guest whose file is at `path`, which gave `values`.
        func guest(at path: String, _ values: [String: String]) throws(PathPatternError) -> Guest {
            let endpoint: Endpoint =
                switch kind {
                case .hybrid: .hybrid(path: path)
                case .dial(let port): .dial(path: path, port: port)
                case .serial: .serial(path: path)
                case .listen(let name): .unix(path: path + "/" + name)
                }
            return Guest(vm: try self.path.vm(values), endpoint: endpoint)
        }

        public var description: String {
            switch kind {
            case .hybrid: "vsock:\(path.text)"
            case .dial(let port): "vsock:\(path.text), port \(port)"
            case .serial: "serial:\(path.text)"
            case .listen(let name): "\(path.text)/\(name)"
            }
        }
    }

    /// The vsock port for logs; nil: there is no listener for contexts, nor beside hybrid sockets.
    public var port: UInt32?
    /// The vsock port for the messages of `vmm.notify_socket`; nil: none.
    public var notifyPort: UInt32?
    public var guests: [Guest]
    public var patterns: [Pattern]
    public var limits: GuestLimits
    /// Maximum memory of what all guests have sent and the store has not taken, in bytes: incomplete messages, above all.
    var memory = 128 << 20
    /// How long no guest has to be connected before `onIdle` is called, in microseconds; nil: it is not.
    public var idleLimit: Int64?
    /// How long the streams of a guest without a connection stay open, in microseconds: longer than a restart of the
    /// guest takes, and than its rates take to recover.
    var guestIdleLimit: Int64 = 600_000_000

    /// ChromeOS's port for logs.
    public static let defaultPort: UInt32 = 9999
    public static let defaultNotifyPort: UInt32 = 9998

    public init(
        port: UInt32? = nil,
        notifyPort: UInt32? = nil,
        guests: [Guest] = [],
        patterns: [Pattern] = [],
        limits: GuestLimits = .default,
        idleLimit: Int64? = nil
    ) {
        self.port = port
        self.notifyPort = notifyPort
        self.guests = guests
        self.patterns = patterns
        self.limits = limits
        self.idleLimit = idleLimit
    }
}
