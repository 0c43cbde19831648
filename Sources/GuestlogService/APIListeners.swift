// SPDX-License-Identifier: Apache-2.0

import Capture
import CLinux
import HTTPAPI
import Glibc
import LogModel
import SystemIO

/// The listeners of the daemon's API: its Unix socket, and its TCP socket when one is configured.
///
/// The daemon cannot run without the Unix socket. An error of the TCP listener does not stop capture: that listener
/// stays closed, and the error is reported.
final class APIListeners {
    private let configuration: Configuration
    private let diagnostics: Diagnostics
    private let problems: Problems
    private var network: TCPListener?
    private var server: APIServer?
    /// The listening sockets, by the names under which they are passed on.
    private var sockets: [String: Int32] = [:]
    /// The servers of the listeners, and their ends.
    private var servings: [(task: Task<Void, Never>, hasEnded: OneShot)] = []

    /// How long the end of each server is awaited, in seconds: a request may wait for a disk that hangs.
    private static let stopLimit = 1
    /// The name under which systemd passes the API's Unix socket. Another one is passed with an appendix.
    private static let localName = "guestlog.api"
    /// The name under which a replaced image passes the TCP socket.
    private static let networkName = "guestlog.network"
    /// The subject of the TCP listener's problems.
    private static let subject = "api"
    /// The subject of the token file's problems.
    private static let tokensSubject = "tokens"

    init(_ configuration: Configuration, diagnostics: Diagnostics, problems: Problems) {
        self.configuration = configuration
        self.diagnostics = diagnostics
        self.problems = problems
    }

    /// Accepts an inherited socket; returns whether it is one of these.
    func inherit(_ name: String, _ descriptor: borrowing Descriptor) throws(SystemError) -> Bool {
        guard Self.isLocal(name) || name == Self.networkName else {
            return false
        }
        sockets[name] = try descriptor.duplicate().release()
        return true
    }

    /// Opens the listeners and has `server` serve them.
    func open(_ server: APIServer) throws {
        self.server = server
        try openLocal(server)
        if let damage = server.tokens.damage {
            raise(Self.tokensSubject, "\(damage)")
        }
        if let settings = configuration.listener {
            openNetwork(settings, server)
        } else {
            closeNetwork()
        }
    }

    /// Serves the inherited Unix sockets, and the configured one if it is not among them: it may have changed, and the
    /// service manager's socket may have another path.
    private func openLocal(_ server: APIServer) throws(SystemError) {
        let inherited = sockets.filter { Self.isLocal($0.key) }.mapValues { UnixSocket.path(of: $0) }
        if !inherited.values.contains(where: isConfigured) {
            let name = inherited.isEmpty ? Self.localName : "\(Self.localName).\(configuration.socket.stableHash())"
            sockets[name] = try UnixSocket.listen(at: configuration.socket).release()
            for case let path? in inherited.values {
                diagnostics.log(.notice, "the API listens at \(path) too: that socket was passed to this process")
            }
        }
        for name in sockets.keys where Self.isLocal(name) {
            try serve(name, .local, server)
        }
    }

    private static func isLocal(_ name: String) -> Bool { name == localName || name.hasPrefix(localName + ".") }

    /// Whether `path` is the configured socket.
    private func isConfigured(_ path: String?) -> Bool {
        path.map { FileAttributes.isSameFile($0, configuration.socket) } ?? false
    }

    private func openNetwork(_ settings: TCPListenerSettings, _ server: APIServer) {
        do {
            let listener = try settings.listener()
            warnOfKey(listener)
            // An inherited socket may have another address.
            if let passed = sockets[Self.networkName], NetworkAddress(boundTo: passed) != settings.address {
                closeNetwork()
            }
            if sockets[Self.networkName] == nil {
                sockets[Self.networkName] = try settings.address.listen().release()
            }
            try serve(Self.networkName, .network(listener), server)
            network = listener
            problems.clear(Self.subject)
            diagnostics.log(.notice, "the API listens at \(settings.summary)")
        } catch {
            closeNetwork()
            raise(Self.subject, "\(error); nothing listens at \(settings.address)")
        }
        if settings.isAnonymous {
            diagnostics.log(
                .warning,
                "api.anonymous: every user and program on this host may read all logs and type on all consoles"
            )
        }
    }

    private func closeNetwork() {
        if let passed = sockets.removeValue(forKey: Self.networkName) {
            close(passed)
        }
    }

    private func serve(_ name: String, _ listener: Listener, _ server: APIServer) throws(SystemError) {
        guard let socket = sockets[name] else {
            return
        }
        let own = try systemCall("dup") { gl_fcntl(socket, F_DUPFD_CLOEXEC, 0) }
        let hasEnded = OneShot()
        let task = Task(priority: .medium) { [diagnostics] in
            do {
                try await server.run(on: Descriptor(owning: own), as: listener)
            } catch is CancellationError {
                // By `stop`.
            } catch {
                diagnostics.log(.error, "the API stopped: \(error)")
            }
            hasEnded.signal()
        }
        servings.append((task, hasEnded))
    }

    /// Ends all requests and closes the connections. The listening sockets stay open: who connects meanwhile is served
    /// by the next image, when this one `isReplaced`.
    func stop(isReplaced: Bool) {
        server?.announceEnd(isReplaced: isReplaced)
        servings.forEach { $0.task.cancel() }
        for serving in servings where !serving.hasEnded.wait(seconds: Self.stopLimit) {
            diagnostics.log(.info, "a request to the API did not end in time; its connection is closed")
        }
        servings = []
    }

    /// Uses a renewed certificate from now on. Retries to open a TCP listener that failed.
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
            raise(Self.subject, "\(error); the current certificate stays in use")
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

    /// The sockets, to be passed to the next image.
    var passed: [(name: String, descriptor: Int32)] {
        sockets.map { ($0.key, $0.value) }
    }
}
