// SPDX-License-Identifier: Apache-2.0

import Capture
import LogModel
import SystemIO

/// What is open for one guest of the configuration.
struct OpenEndpoint {
    let vm: VMIdentity
    /// The administrator's part of the path; nil: all of it.
    let trustedFolder: String?
    var listeners: [CollectorListener] = []
    var dialer: GuestDialer?

    init(vm: VMIdentity, trustedFolder: String?) {
        self.vm = vm
        self.trustedFolder = trustedFolder
    }

    /// Stops listening and dialling; connections stay. Removes the files of sockets, except those at `kept` paths.
    func close(keeping kept: Set<String> = []) {
        for listener in listeners {
            let hasFile = listener.socket != nil && listener.name.hasPrefix("/")
            listener.end()
            if hasFile, !kept.contains(listener.name) {
                let (folder, name) = DirectoryHandle.split(listener.name)
                try? DirectoryHandle(folder, trusted: trustedFolder).remove(name)
            }
        }
        dialer?.end()
    }
}

// The guests that the configuration names.
extension GuestCollector {
    /// Serves `guests`, and those that `patterns` find, from now on, and no others; from any thread. Connections that are
    /// open stay.
    public func setGuests(_ guests: [CollectorOptions.Guest], _ patterns: [CollectorOptions.Pattern] = []) {
        loop.post { [self] in follow(guests, patterns) }
    }

    /// To be called on the loop's thread, or before it runs.
    func follow(_ guests: [CollectorOptions.Guest], _ patterns: [CollectorOptions.Pattern]) {
        for (path, guest) in found where !patterns.contains(where: { Self.guest(of: $0, at: path) == guest }) {
            forget(path)
        }
        let all = guests + found.values
        let wanted = Dictionary(all.map { ($0.endpoint, $0.vm) }) { first, _ in first }
        for (endpoint, opened) in endpoints where wanted[endpoint] != opened.vm {
            opened.close(keeping: keptFiles)
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
        self.patterns = patterns
        discovery.setPatterns(patterns.map(\.path))
        discovery.onFound = { [unowned self] in add($0) }
        discovery.onGone = { [unowned self] in forget($0) }
        discovery.begin()
    }

    // MARK: - Guests that are found

    private static func guest(of pattern: CollectorOptions.Pattern, at path: String) -> CollectorOptions.Guest? {
        pattern.path.values(in: path).flatMap { try? pattern.guest(at: path, $0) }
    }

    /// Serves the guest of a file; returns why it is not served.
    private func add(_ file: PathDiscovery.Found) -> String? {
        let pattern = patterns[file.pattern]
        guard pattern.accepts(file.kind), found[file.path] == nil else {
            return nil
        }
        let guest: CollectorOptions.Guest
        do throws(PathPatternError) {
            guest = try pattern.guest(at: file.path, file.values)
        } catch {
            return error.reason
        }
        if let opened = endpoints[guest.endpoint] {
            return opened.vm == guest.vm ? nil : "the configuration says that it belongs to \(opened.vm.name)"
        }
        found[file.path] = guest
        endpoints[guest.endpoint] = open(guest, trustedFolder: pattern.path.trustedFolder)
        discovery.follow(file.path)
        return nil
    }

    /// The file at `path` has gone.
    private func forget(_ path: String) {
        guard let guest = found.removeValue(forKey: path) else {
            return
        }
        discovery.unfollow(path)
        endpoints.removeValue(forKey: guest.endpoint)?.close(keeping: keptFiles)
    }

    // MARK: - Opening

    private func open(_ guest: CollectorOptions.Guest, trustedFolder: String? = nil) -> OpenEndpoint {
        var opened = OpenEndpoint(vm: guest.vm, trustedFolder: trustedFolder)
        let identity = GuestIdentity(vm: guest.vm, transport: "\(guest.endpoint)")
        switch guest.endpoint {
        case .context:
            break
        case .hybrid(let path):
            for (port, purpose) in [(options.port, Purpose.logs), (options.notifyPort, .notify)] {
                if let port {
                    opened.listeners.append(listen(path: "\(path)_\(port)", trustedFolder, identity, for: purpose))
                }
            }
        case .unix(let path):
            opened.listeners.append(listen(path: path, trustedFolder, identity, for: .logs))
        case .tcp(let address):
            let listener = listen("\(address)") { () throws(SystemError) in
                try address.listen()
            } onConnection: { [unowned self] socket in
                serve(socket, of: identity, for: .logs)
            }
            opened.listeners.append(listener)
        case .serial(let path):
            opened.dialer = dial(path, port: nil, trustedFolder, identity, for: .serial)
        case .dial(let path, let port):
            opened.dialer = dial(path, port: port, trustedFolder, identity, for: .lines)
        }
        return opened
    }

    private func listen(
        path: String,
        _ trustedFolder: String?,
        _ identity: GuestIdentity,
        for purpose: Purpose
    ) -> CollectorListener {
        listen(path) { () throws(SystemError) in
            try UnixSocket.listen(at: path, trusted: trustedFolder)
        } onConnection: { [unowned self] socket in
            serve(socket, of: identity, for: purpose)
        }
    }

    /// Listens on the inherited socket of that name, or on the one that `open` makes.
    func listen(
        _ name: String,
        _ open: @escaping () throws(SystemError) -> Descriptor,
        onConnection: @escaping (consuming Descriptor) -> Void
    ) -> CollectorListener {
        let listener = CollectorListener(name, on: loop, capture: capture, open: open, onConnection: onConnection) {
            [unowned self] in noteListeners()
        }
        listener.begin(with: takeInherited(name))
        return listener
    }

    private func dial(
        _ path: String,
        port: UInt32?,
        _ trustedFolder: String?,
        _ identity: GuestIdentity,
        for purpose: Purpose
    ) -> GuestDialer {
        weak var dialer: GuestDialer?
        let made = GuestDialer(path, port: port, trustedFolder: trustedFolder, on: loop) { [unowned self] socket in
            serve(socket, of: identity, for: purpose, dialer: dialer)
        }
        dialer = made
        made.dial()
        return made
    }
}
