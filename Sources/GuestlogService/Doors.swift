import Capture
import CLinux
import ControlAPI
import Glibc
import SystemIO

/// The ways in to the daemon's API: its Unix socket, and its socket of TCP where one is configured.
///
/// Without the Unix socket there is no daemon. What is wrong with the other one keeps no guest from being captured: it
/// stays closed, and that is said.
final class Doors {
    private let configuration: Configuration
    private let diagnostics: Diagnostics
    private let problems: Problems
    private var network: NetworkDoor?
    private weak var server: ControlServer?
    /// The listening sockets, by the names under which they are passed on.
    private var listeners: [String: Int32] = [:]

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
        listeners[name] = try descriptor.duplicate().release()
        return true
    }

    /// Has `server` serve all of them.
    func open(_ server: ControlServer) throws {
        self.server = server
        if listeners[Self.localName] == nil {
            listeners[Self.localName] = try UnixSocket.listen(at: configuration.socket).release()
        }
        try serve(Self.localName, .local, server)
        if let damage = server.tokens.damage {
            raise(Self.tokensSubject, "\(damage)")
        }
        if let listener = configuration.listener {
            openNetwork(listener, server)
        } else {
            closeNetwork()
        }
    }

    private func openNetwork(_ wanted: NetworkListener, _ server: ControlServer) {
        do {
            let door = try wanted.door()
            warnOfKey(door)
            // One that listens elsewhere came from before.
            if let passed = listeners[Self.networkName], NetworkAddress(boundTo: passed) != wanted.address {
                closeNetwork()
            }
            if listeners[Self.networkName] == nil {
                listeners[Self.networkName] = try wanted.address.listen().release()
            }
            try serve(Self.networkName, .network(door), server)
            network = door
            problems.clear(Self.subject)
            diagnostics.say(.notice, "the API listens at \(wanted.words)")
        } catch {
            closeNetwork()
            raise(Self.subject, "\(error); nothing listens at \(wanted.address)")
        }
        if wanted.isAnonymous {
            diagnostics.say(
                .warning,
                "api.anonymous: every user and program of this host may read all logs and type on all consoles"
            )
        }
    }

    private func closeNetwork() {
        if let passed = listeners.removeValue(forKey: Self.networkName) {
            close(passed)
        }
    }

    private func serve(_ name: String, _ door: Door, _ server: ControlServer) throws(SystemError) {
        guard let listener = listeners[name] else {
            return
        }
        let own = try systemCall("dup") { gl_fcntl(listener, F_DUPFD_CLOEXEC, 0) }
        Task.detached { [diagnostics] in
            do {
                try await server.run(on: Descriptor(owning: own), as: door)
            } catch {
                diagnostics.say(.error, "the API stopped: \(error)")
            }
        }
    }

    /// Shows a certificate that was renewed from now on. A door that could not be opened is tried again.
    func renewIdentity() {
        guard let network else {
            if let listener = configuration.listener, let server {
                openNetwork(listener, server)
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

    private func warnOfKey(_ door: NetworkDoor) {
        if let exposure = door.identity?.keyExposure {
            diagnostics.say(.warning, "\(exposure)")
        }
    }

    private func raise(_ subject: String, _ problem: String) {
        problems.raise(subject, problem)
        diagnostics.say(.error, problem)
    }

    /// The sockets, to be passed on to the next image.
    var passed: [(name: String, descriptor: Int32)] {
        listeners.map { ($0.key, $0.value) }
    }
}
