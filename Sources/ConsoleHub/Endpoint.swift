import CLinux
import Glibc
import SystemIO

/// Where a console is found.
public enum Endpoint: Hashable, Sendable {
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

    /// Bytes that a named pipe is to hold.
    private static let pipeSize: Int32 = 1 << 20

    /// The path; nil for what is none.
    var path: String? {
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
    enum Return {
        /// By trying again.
        case retry
        /// By its path being made anew.
        case change
        /// By nothing.
        case never
    }

    /// What it may come back by, once it was closed. A pseudo-terminal's number goes to the next who asks for one, and
    /// that may be anybody: to open it again would be to listen in on them. Only a link can lead to the VMM's next.
    var comesBack: Return {
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

    /// The kind and the path in words, as in `connect:/run/vm.sock`.
    public var description: String {
        switch self {
        case .connect(let path): "connect:" + path
        case .listen(let path): "listen:" + path
        case .tcp(let address): "tcp:" + address.description
        case .terminal(let path): "pty:" + path
        case .fifo(let path): "fifo:" + path
        case .inherited: "inherited"
        }
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
        let path = String(text[text.index(after: colon)...])
        if text[..<colon] == "tcp" {
            guard let address = NetworkAddress(path), address.port != 0 else {
                return nil
            }
            self = .tcp(address)
            return
        }
        guard path.hasPrefix("/") else {
            return nil
        }
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

    /// Opens the console; it must be one that is dialled. Waits for nobody at the other end, but for the file system
    /// that the path is on: not for a shard.
    func open() throws(SystemError) -> Connection {
        let connection = Connection(try openPath())
        try connection.descriptor.setNonBlocking()
        return connection
    }

    private func openPath() throws(SystemError) -> Descriptor {
        switch self {
        case .connect(let path):
            return try UnixSocket.connect(to: path)
        case .tcp(let address):
            return try address.connect()
        case .terminal(let path):
            let terminal = Descriptor(
                owning: try systemCall("open", path) { gl_open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC, 0) }
            )
            makeRaw(terminal.raw)
            return terminal
        case .fifo(let path):
            if mkfifo(path, 0o600) != 0, errno != EEXIST {
                throw SystemError("mkfifo", path)
            }
            // Opened for both, so that it has no end when a writer goes.
            let flags = O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW
            let fifo = Descriptor(owning: try systemCall("open", path) { gl_open(path, flags, 0) })
            // More room for what the VMM writes while this process restarts; refused beyond the user's budget.
            _ = gl_set_pipe_size(fifo.raw, Self.pipeSize)
            return fifo
        case .listen, .inherited:
            preconditionFailure("\(description) is not dialled")
        }
    }

    /// Bytes pass as they are: no echo, no signals, no translation.
    private func makeRaw(_ terminal: Int32) {
        var mode = termios()
        if tcgetattr(terminal, &mode) == 0 {
            cfmakeraw(&mode)
            tcsetattr(terminal, TCSANOW, &mode)
        }
    }
}
