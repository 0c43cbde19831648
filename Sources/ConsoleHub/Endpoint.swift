import LogModel
import SystemIO

/// Where a console is found.
public enum Endpoint: Hashable, Sendable, CustomStringConvertible {
    /// A socket that the VMM listens on: QEMU's `socket,server=on,wait=off`, Cloud Hypervisor's `--serial socket=`.
    case connect(path: String)
    /// A socket that we listen on and the VMM connects to: QEMU's `socket,server=off,reconnect=1`.
    case listen(path: String)
    /// A port of TCP that the VMM listens on, and on which bytes pass as they are: QEMU's `socket,host=…,port=…`.
    case tcp(NetworkAddress)
    /// A pseudo-terminal that the VMM made.
    case terminal(path: String)
    /// A named pipe that the VMM writes to; it is made when absent.
    case fifo(path: String)
    /// A descriptor that was open when we got it.
    case inherited

    /// The path; nil for what has none.
    public var path: String? {
        switch self {
        case .connect(let path), .listen(let path), .terminal(let path), .fifo(let path): path
        case .tcp, .inherited: nil
        }
    }

    /// Whether it is reached by opening a path, again and again; the others come to us.
    var isDialled: Bool {
        switch self {
        case .connect, .tcp, .terminal, .fifo: true
        case .listen, .inherited: false
        }
    }

    /// The path to be told of when it appears or changes; nil when nothing is to be waited for.
    var watchedPath: String? {
        switch self {
        case .connect(let path), .terminal(let path): path
        case .listen, .tcp, .fifo, .inherited: nil
        }
    }

    /// What a closed console may come back by.
    enum ReconnectPolicy {
        /// By trying again.
        case retry
        /// By its path being made anew.
        case change
        /// By nothing.
        case never
    }

    /// What it may come back by, once it was closed. A pseudo-terminal's number goes to the next who asks for one, and
    /// that may be anybody: to open it again would be to listen in on them. Only a link can lead to the VMM's next.
    var reconnectPolicy: ReconnectPolicy {
        switch self {
        case .connect, .listen, .tcp, .fifo: .retry
        case .terminal(let path): path.hasPrefix("/dev/pts/") ? .never : .change
        case .inherited: .never
        }
    }

    /// Whether what is written to it reaches the guest; a named pipe would give it back as the guest's.
    var takesInput: Bool {
        if case .fifo = self { false } else { true }
    }

    /// The kind in words, as it stands before the colon.
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

    /// The kind and the path in words, as in `connect:/run/vm.sock`.
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

    /// The endpoint that `text` names, as `description` writes it; nil when it names none.
    public init?(_ text: String) {
        if text == "inherited" {
            self = .inherited
            return
        }
        guard let colon = text.firstIndex(of: ":") else {
            return nil
        }
        let place = String(text[text.index(after: colon)...])
        if text[..<colon] == "tcp" {
            guard let address = NetworkAddress(place), address.port != 0 else {
                return nil
            }
            self = .tcp(address)
            return
        }
        guard place.utf8.first == UInt8(ascii: "/") else {
            return nil
        }
        let path = DirectoryHandle.normalized(place)
        switch text[..<colon] {
        case "connect": self = .connect(path: path)
        case "listen": self = .listen(path: path)
        case "pty": self = .terminal(path: path)
        case "fifo": self = .fifo(path: path)
        default: return nil
        }
    }

    /// Whether what is written while nobody is connected stays there, to be read later.
    var keepsOutput: Bool {
        switch self {
        case .fifo, .inherited: true
        case .connect, .listen, .tcp, .terminal: false
        }
    }
}
