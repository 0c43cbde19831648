// SPDX-License-Identifier: Apache-2.0

import LogModel
import SystemIO

/// The address of a console.
public enum Endpoint: Hashable, Sendable, CustomStringConvertible {
    /// A socket that the VMM listens on: QEMU's `socket,server=on,wait=off`, Cloud Hypervisor's `--serial socket=`.
    case connect(path: String)
    /// A socket that the daemon listens on and the VMM connects to: QEMU's `socket,server=off,reconnect=1`.
    case listen(path: String)
    /// A TCP port that the VMM, or a Telnet server, listens on: QEMU's `socket,host=…,port=…`.
    case tcp(NetworkAddress)
    /// A pseudo-terminal of the VMM.
    case terminal(path: String)
    /// A named pipe that the VMM writes to; created when absent.
    case fifo(path: String)
    /// A descriptor that was open already.
    case inherited

    /// The path; nil for endpoints without one.
    public var path: String? {
        switch self {
        case .connect(let path), .listen(let path), .terminal(let path), .fifo(let path): path
        case .tcp, .inherited: nil
        }
    }

    /// Whether the daemon opens it, repeatedly; the others are opened by the VMM or inherited.
    var isDialled: Bool {
        switch self {
        case .connect, .tcp, .terminal, .fifo: true
        case .listen, .inherited: false
        }
    }

    /// The path to watch for changes; nil: none.
    var watchedPath: String? {
        switch self {
        case .connect(let path), .terminal(let path), .fifo(let path): path
        case .listen, .tcp, .inherited: nil
        }
    }

    /// How a closed console is reconnected.
    enum ReconnectPolicy {
        /// By retrying.
        case retry
        /// When the path changes.
        case change
        /// Not at all.
        case never
    }

    /// How the console is reconnected after it was closed. The number of a closed pseudo-terminal is reused, possibly
    /// for another user, whose session must not be read. Only a link can lead to the VMM's next terminal.
    var reconnectPolicy: ReconnectPolicy {
        switch self {
        case .connect, .listen, .tcp, .fifo: .retry
        case .terminal(let path): path.hasPrefix("/dev/pts/") ? .never : .change
        case .inherited: .never
        }
    }

    /// Whether it is a named pipe: its end is the end of its writers, and the next one writes to the same pipe.
    var isPipe: Bool {
        if case .fifo = self { true } else { false }
    }

    /// Whether input written to it reaches the guest.
    var takesInput: Bool { !isPipe }

    /// The kind, as written before the colon.
    private var kind: String {
        switch self {
        case .connect: "connect"
        case .listen: "listen"
        case .tcp: "tcp"
        case .terminal: "pty"
        case .fifo: "fifo"
        case .inherited: "inherited"
        }
    }

    /// The kind and the address, as in `connect:/run/vm.sock`.
    public var description: String {
        switch self {
        case .connect(let path), .listen(let path), .terminal(let path), .fifo(let path): kind + ":" + path
        case .tcp(let address): kind + ":" + address.description
        case .inherited: kind
        }
    }

    public static func == (left: Endpoint, right: Endpoint) -> Bool {
        guard case .tcp(let address) = left, case .tcp(let other) = right else {
            return left.kind == right.kind && Bytewise(left.path) == Bytewise(right.path)
        }
        return address == other
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(Bytewise(description))
    }

    /// Parses `text`, in the form of `description`; nil when it is malformed.
    public init?(_ text: String) {
        if text == "inherited" {
            self = .inherited
            return
        }
        guard let colon = text.firstIndex(of: ":") else {
            return nil
        }
        let location = String(text[text.index(after: colon)...])
        if text[..<colon] == "tcp" {
            guard let address = NetworkAddress(location), address.port != 0 else {
                return nil
            }
            self = .tcp(address)
            return
        }
        guard location.utf8.first == UInt8(ascii: "/") else {
            return nil
        }
        let path = DirectoryHandle.normalized(location)
        switch text[..<colon] {
        case "connect": self = .connect(path: path)
        case "listen": self = .listen(path: path)
        case "pty": self = .terminal(path: path)
        case "fifo": self = .fifo(path: path)
        default: return nil
        }
    }

    /// The forms of an endpoint.
    public static let forms = "connect:PATH, listen:PATH, tcp:ADDRESS:PORT, pty:PATH or fifo:PATH"

    /// Why `text` is not an endpoint.
    public static func fault(in text: String) -> String {
        let kind = text.prefix { $0 != ":" }
        let location = text.dropFirst(kind.count + 1)
        switch kind {
        case "tcp":
            return
                "tcp: is followed by an IP address and a port from 1 to 65535, such as 127.0.0.1:4555 or [::1]:4555; "
                + "a name is not looked up"
        case "connect", "listen", "pty", "fifo":
            return location.isEmpty
                ? "\(kind): requires an absolute path" : "\(location) is not an absolute path: begin it with /"
        default:
            return "use \(forms)"
        }
    }

    /// Whether the VMM may send earlier output again to a new client, as Cloud Hypervisor does on its socket.
    var mayReplay: Bool {
        switch self {
        case .connect, .tcp: true
        case .listen, .terminal, .fifo, .inherited: false
        }
    }

    /// Whether a Telnet server may be there.
    var mayBeTelnet: Bool { mayReplay }

    /// Whether output written while no client is connected is kept.
    var keepsOutput: Bool {
        switch self {
        case .fifo, .inherited: true
        case .connect, .listen, .tcp, .terminal: false
        }
    }
}
