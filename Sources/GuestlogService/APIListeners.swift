import Capture
import CLinux
import ControlAPI
import Glibc
import SystemIO

/// The ways in to the daemon's API: its Unix socket, and its socket of TCP where one is configured.
///
/// Without the Unix socket there is no daemon. What is wrong with the other one keeps no guest from being captured: it
/// stays closed, and that is said.
final class APIListeners {
    private let configuration: Configuration
    private let diagnostics: Diagnostics
    private let problems: Problems
    private var network: TCPListener?
    private weak var server: ControlServer?
    /// The listening sockets, by the names under which they are passed on.
    private var sockets: [String: Int32] = [:]

    /// The name under which systemd passes the API's Unix socket.
    private static let localName = "guestlog.api"
    /// The name under which a process that is replaced passes the one of TCP.
    private static let networkName = "guestlog.network"
    /// What a problem with the latter is told of.
    private static let subject = "api"
    /// What a problem with the file of tokens is told of.
    private static let tokensSubject = "tokens"

    init(_ configuration: Configuration, diagnostics: Diagnostics, problems: Problems) {
        self.configuration = configuration
        self.diagnostics = diagnostics
        self.problems = problems
    }

    /// Takes a socket that was passed in; whether it is one of these.
    func inherit(_ name: String, _ descriptor: borrowing Descriptor) throws(SystemError) -> Bool {
        guard name == Self.localName || name == Self.networkName else {
            return false
        }
        sockets[name] = try descriptor.duplicate().release()
        return true
    }

    /// Has `server` serve all of them.
    func open(_ server: ControlServer) throws {
        self.server = server
        if sockets[Self.localName] == nil {
            sockets[Self.localName] = try UnixSocket.listen(at: configuration.socket).release()
        }
        try serve(Self.localName, .local, server)
        if let damage = server.tokens.damage {
            raise(Self.tokensSubject, "\(damage)")
        }
        if let settings = configuration.listener {
            openNetwork(settings, server)
        } else {
            closeNetwork()
        }
    }

    private func openNetwork(_ settings: TCPListenerSettings, _ server: ControlServer) {
        do {
            let listener = try settings.listener()
            warnOfKey(listener)
            // One that listens elsewhere came from before.
            if let passed = sockets[Self.networkName], NetworkAddress(boundTo: passed) != settings.address {
                closeNetwork()
            }
            if sockets[Self.networkName] == nil {
                sockets[Self.networkName] = try settings.address.listen().release()
            }
            try serve(Self.networkName, .network(listener), server)
            network = listener
            problems.clear(Self.subject)
            diagnostics.log(.notice, "the API listens at \(settings.words)")
        } catch {
            closeNetwork()
            raise(Self.subject, "\(error); nothing listens at \(settings.address)")
        }
        if settings.isAnonymous {
            diagnostics.log(
                .warning,
                "api.anonymous: every user and program of this host may read all logs and type on all consoles"
            )
        }
    }

    private func closeNetwork() {
        if let passed = sockets.removeValue(forKey: Self.networkName) {
            close(passed)
        }
    }

    private func serve(_ name: String, _ listener: Listener, _ server: ControlServer) throws(SystemError) {
        guard let socket = sockets[name] else {
            return
        }
        let own = try systemCall("dup") { gl_fcntl(socket, F_DUPFD_CLOEXEC, 0) }
        Task.detached { [diagnostics] in
            do {
                try await server.run(on: Descriptor(owning: own), as: listener)
            } catch {
                diagnostics.log(.error, "the API stopped: \(error)")
            }
        }
    }

    /// Shows a certificate that was renewed from now on. A listener that could not be opened is tried again.
    func renewIdentity() {
        guard let network else {
            if let settings = configuration.listener, let server {
                openNetwork(settings, server)
            }
            return
        }
        do {
            try network.identity?.reload()
            warnOfKey(network)
            problems.clear(Self.subject)
        } catch {
            raise(Self.subject, "\(error); the one read before stays")
        }
    }

    private func warnOfKey(_ listener: TCPListener) {
        if let exposure = listener.identity?.keyExposure {
            diagnostics.log(.warning, "\(exposure)")
        }
    }

    private func raise(_ subject: String, _ problem: String) {
        problems.raise(subject, problem)
        diagnostics.log(.error, problem)
    }

    /// The sockets, to be passed on to the next image.
    var passed: [(name: String, descriptor: Int32)] {
        sockets.map { ($0.key, $0.value) }
    }
}
