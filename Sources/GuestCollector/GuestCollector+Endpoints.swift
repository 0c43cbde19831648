// SPDX-License-Identifier: Apache-2.0

import Capture
import LogModel
import SystemIO

/// What is open for one guest of the configuration.
struct OpenEndpoint {
    let vm: VMIdentity
    private(set) var listeners: [ListeningSocket] = []
    var dialer: GuestDialer?

    init(vm: VMIdentity) {
        self.vm = vm
    }

    mutating func add(_ listener: ListeningSocket?) {
        listeners += listener.map { [$0] } ?? []
    }

    /// Stops listening and dialling; connections stay.
    func close() {
        for listener in listeners {
            listener.end()
            if listener.path.hasPrefix("/") {
                listener.removeFile()
            }
        }
        dialer?.end()
    }
}

// The guests that the configuration names.
extension GuestCollector {
    /// Serves `guests` from now on, and no others of the configuration; from any thread. Connections that are open stay.
    public func setGuests(_ guests: [CollectorOptions.Guest]) {
        loop.post { [self] in follow(guests) }
    }

    /// To be called on the loop's thread, or before it runs.
    func follow(_ guests: [CollectorOptions.Guest]) {
        let wanted = Dictionary(guests.map { ($0.endpoint, $0.vm) }) { first, _ in first }
        for (endpoint, opened) in endpoints where wanted[endpoint] != opened.vm {
            opened.close()
            endpoints[endpoint] = nil
        }
        known = [:]
        for guest in guests {
            if case .context(let context) = guest.endpoint {
                known[context] = guest.vm
            } else if endpoints[guest.endpoint] == nil {
                endpoints[guest.endpoint] = open(guest)
            }
        }
    }

    private func open(_ guest: CollectorOptions.Guest) -> OpenEndpoint {
        var opened = OpenEndpoint(vm: guest.vm)
        let identity = GuestIdentity(vm: guest.vm, transport: "\(guest.endpoint)")
        switch guest.endpoint {
        case .context:
            break
        case .hybrid(let path):
            for (port, purpose) in [(options.port, Purpose.logs), (options.notifyPort, .notify)] {
                if let port {
                    opened.add(listen(path: "\(path)_\(port)", identity, for: purpose))
                }
            }
        case .unix(let path):
            opened.add(listen(path: path, identity, for: .logs))
        case .tcp(let address):
            let listener = listen("\(address)") { () throws(SystemError) in
                try address.listen()
            } onConnection: { [unowned self] socket in
                serve(socket, of: identity, for: .logs)
            }
            opened.add(listener)
        case .serial(let path):
            opened.dialer = dial(path, port: nil, identity, for: .serial)
        case .dial(let path, let port):
            opened.dialer = dial(path, port: port, identity, for: .lines)
        }
        return opened
    }

    private func listen(path: String, _ identity: GuestIdentity, for purpose: Purpose) -> ListeningSocket? {
        listen(path) { () throws(SystemError) in
            try UnixSocket.listen(at: path)
        } onConnection: { [unowned self] socket in
            serve(socket, of: identity, for: purpose)
        }
    }

    /// Listens; nil when that fails, which is a problem.
    func listen(
        _ name: String,
        _ open: () throws(SystemError) -> Descriptor,
        onConnection: @escaping (consuming Descriptor) -> Void
    ) -> ListeningSocket? {
        do throws(SystemError) {
            let socket = try open()
            try socket.setNonBlocking()
            let listener = ListeningSocket(socket, path: name)
            try listener.begin(on: loop, onConnection)
            capture.problems.clear("collector \(name)")
            return listener
        } catch {
            if capture.problems.raise("collector \(name)", "\(error)") {
                capture.diagnostics.log(.error, "the collector does not listen on \(name): \(error)")
            }
            return nil
        }
    }

    private func dial(
        _ path: String,
        port: UInt32?,
        _ identity: GuestIdentity,
        for purpose: Purpose
    ) -> GuestDialer {
        weak var dialer: GuestDialer?
        let made = GuestDialer(path, port: port, on: loop) { [unowned self] socket in
            serve(socket, of: identity, for: purpose, dialer: dialer)
        }
        dialer = made
        made.dial()
        return made
    }
}
