import CLinux
import Glibc
import SystemIO

/// Where a console is found.
public enum Endpoint: Hashable, Sendable {
    /// A socket that the VMM listens on: QEMU's `socket,server=on,wait=off`, Cloud Hypervisor's `--serial socket=`.
    case connect(path: String)
    /// A socket that we listen on and the VMM connects to: QEMU's `socket,server=off,reconnect=1`.
    case listen(path: String)
    /// A pseudo-terminal that the VMM made.
    case terminal(path: String)
    /// A named pipe that the VMM writes to; it is made when absent.
    case fifo(path: String)
    /// A descriptor that was open when we got it.
    case inherited

    /// Bytes that a named pipe is to hold.
    private static let pipeSize: Int32 = 1 << 20

    /// The path to be told of when it appears or changes; nil when nothing is to be waited for.
    var watchedPath: String? {
        switch self {
        case .connect(let path), .terminal(let path): path
        case .listen, .fifo, .inherited: nil
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

    /// Opens the console, when opening is all it takes; nil for those that come to us. Never blocks.
    func open() throws(SystemError) -> Descriptor? {
        switch self {
        case .connect(let path):
            return try UnixSocket.connect(to: path)
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
            return nil
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

/// A process and when it started, which together are never reused: tells a VMM from the one before it.
public struct ProcessIdentity: Hashable, Sendable {
    /// The process id.
    public var process: Int32
    /// Its start, in clock ticks since the host's boot (proc(5), field 22).
    public var start: UInt64

    /// The process at the other end of `socket`, if it can be seen; its start is 0 when that cannot, for it has ended
    /// or is hidden.
    init?(peerOf socket: Int32) {
        guard let peer = try? UnixSocket.peer(of: socket), peer.process > 0 else {
            return nil
        }
        process = peer.process
        start = Self.start(of: peer.process) ?? 0
    }

    /// Whether both are the same process, as far as is known.
    func isSame(as other: ProcessIdentity) -> Bool {
        process == other.process && (start == other.start || start == 0 || other.start == 0)
    }

    init(process: Int32, start: UInt64) {
        self.process = process
        self.start = start
    }

    /// A named pipe or a pseudo-terminal in place of the process behind it, which cannot be seen: process 0, and a
    /// number that another one at the same path would not have.
    init?(placeOf descriptor: Int32) {
        var status = stat()
        guard fstat(descriptor, &status) == 0, [S_IFIFO, S_IFCHR].contains(status.st_mode & S_IFMT) else {
            return nil
        }
        process = 0
        // Numbers of pseudo-terminals are used again, but only at its making does the inode of one change; that of a
        // pipe changes with each write.
        let isPipe = status.st_mode & S_IFMT == S_IFIFO
        let made = isPipe ? 0 : status.st_ctim.tv_sec * 1_000_000_000 + status.st_ctim.tv_nsec
        start = (UInt64(status.st_ino) &+ UInt64(truncatingIfNeeded: made)) & UInt64(Int64.max)
    }

    private static func start(of process: Int32) -> UInt64? {
        let path = "/proc/\(process)/stat"
        guard let file = try? Descriptor(owning: systemCall("open", path) { gl_open(path, O_RDONLY | O_CLOEXEC, 0) })
        else {
            return nil
        }
        let text = withUnsafeTemporaryAllocation(byteCount: 1024, alignment: 1) { buffer in
            let count = read(file.raw, buffer.baseAddress, buffer.count)
            return String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
        }
        // The second field, the name in parentheses, may hold anything; the fields after it are plain.
        guard let nameEnd = text.lastIndex(of: ")") else {
            return nil
        }
        let fields = text[text.index(after: nameEnd)...].split(separator: " ")
        return fields.count > 19 ? UInt64(fields[19]) : nil
    }
}
