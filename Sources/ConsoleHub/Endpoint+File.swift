import CLinux
import Glibc
import SystemIO

/// What lies at an endpoint's path: checked and opened by one descriptor, so that nothing else can be put in its place
/// in between.
extension Endpoint {
    /// Bytes that a named pipe is to hold.
    private static let pipeSize: Int32 = 1 << 20

    /// What lies at the path, which must be of the endpoint's kind; an error otherwise, with the reason.
    ///
    /// Below `trusted`, the administrator's part of a watched path, nothing but the file itself is accepted: links are
    /// refused, and so are terminals that belong to another user than the folder they are in. A path that the
    /// administrator named, `trusted` nil, may be a link; a named pipe is made there when it is absent.
    func locate(trusted: String?) throws(SystemError) -> PathHandle {
        guard let path else {
            preconditionFailure("\(description) has no path")
        }
        if case .fifo = self, trusted == nil, mkfifo(path, 0o600) != 0, errno != EEXIST {
            throw SystemError("mkfifo", path)
        }
        let file = try PathHandle(path, trusted: trusted)
        let found = file.attributes.kind
        guard found != .link else {
            throw SystemError("open", path, code: ELOOP, reason: "it is a symbolic link, and none is followed there")
        }
        switch self {
        case .connect where found != .socket:
            throw SystemError("connect", path, code: ENOTSOCK, reason: "it is \(found.words), not a socket")
        case .fifo where found != .fifo:
            throw SystemError("open", path, code: EINVAL, reason: "it is \(found.words), not a FIFO")
        case .terminal where !file.isPseudoTerminal:
            throw SystemError("open", path, code: ENOTTY, reason: "it is \(found.words), not a pseudo-terminal")
        default: break
        }
        if case .terminal = self, let directory = file.directory, directory.owner != file.attributes.owner {
            let reason = "it belongs to user \(file.attributes.owner), and the directory to user \(directory.owner)"
            throw SystemError("open", path, code: EACCES, reason: reason)
        }
        return file
    }

    /// Opens what was located. Waits for nobody at the other end, but for the file system that the path is on: not for a
    /// shard.
    func open(_ file: borrowing PathHandle) throws(SystemError) -> Descriptor {
        switch self {
        case .connect:
            return try file.connect()
        case .terminal:
            let terminal = try file.open(O_RDWR | O_NOCTTY | O_NONBLOCK)
            makeRaw(terminal.raw)
            return terminal
        case .fifo:
            // Opened for both, so that it has no end when a writer goes.
            let fifo = try file.open(O_RDWR | O_NONBLOCK)
            // More room for what the VMM writes while this process restarts; refused beyond the user's budget.
            _ = gl_set_pipe_size(fifo.raw, Self.pipeSize)
            return fifo
        case .listen, .tcp, .inherited:
            preconditionFailure("\(description) is not opened by a path")
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

    /// Whether a console can be at the endpoint: an error with the reason when it never can as things stand. A socket or a
    /// terminal that is not there yet may come.
    public func check() throws(SystemError) {
        switch self {
        case .connect, .terminal:
            do throws(SystemError) {
                _ = try locate(trusted: nil)
            } catch  where error.code == ENOENT {}
        case .fifo:
            _ = try locate(trusted: nil)
        case .listen(let path):
            try ListeningSocket(path: path).removeFile()
        case .tcp, .inherited:
            break
        }
    }
}
