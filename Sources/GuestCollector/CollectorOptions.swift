// SPDX-License-Identifier: Apache-2.0

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

    /// The vsock port for logs; nil: there is no listener for contexts, nor beside hybrid sockets.
    public var port: UInt32?
    /// The vsock port for the messages of `vmm.notify_socket`; nil: none.
    public var notifyPort: UInt32?
    public var guests: [Guest]
    public var limits: GuestLimits

    /// ChromeOS's port for logs.
    public static let usualPort: UInt32 = 9999
    public static let usualNotifyPort: UInt32 = 9998

    public init(
        port: UInt32? = nil,
        notifyPort: UInt32? = nil,
        guests: [Guest] = [],
        limits: GuestLimits = .standard
    ) {
        self.port = port
        self.notifyPort = notifyPort
        self.guests = guests
        self.limits = limits
    }
}
