import Capture
import ConsoleHub
import LogModel
import Platforms
import Synchronization
import SystemIO

/// Keeps the consoles of libvirt's domains with the hub while the domains run, to be joined there. Their logs come by
/// libvirt's log daemon: nothing of them is stored by this way, and they are reached only while somebody is on them, so
/// that virsh, nova's serial proxy and others find them free.
final class LibvirtConsoles: Sendable {
    private let hub: ConsoleHub
    private let added = Mutex<[StreamKey: ConsoleHub.Definition]>([:])

    init(_ hub: ConsoleHub) {
        self.hub = hub
    }

    /// Has the hub know the consoles of the domains that run now, and no others of those it was told of here.
    func follow(_ directory: DomainDirectory) {
        let wanted = directory.domains.filter(\.isRunning).flatMap { Self.consoles(of: $0.facts) }
        let byKey = Dictionary(wanted.map { ($0.key, $0) }) { first, _ in first }
        added.withLock { added in
            for (key, definition) in added where byKey[key] != definition {
                // One that is captured has taken its place, maybe.
                hub.remove(definition)
                added[key] = nil
            }
            for (key, definition) in byKey where added[key] == nil {
                // One that is captured already, by a folder or by name, is joined as that.
                if hub.add(definition) == .new {
                    added[key] = definition
                }
            }
        }
    }

    /// The consoles of a domain that can be joined, numbered as the log daemon numbers their logs: those that have one
    /// first.
    ///
    /// A pseudo-terminal is left to virsh: once its VMM has ended, unnoticed as yet, its number may be anybody's.
    static func consoles(of facts: DomainFacts) -> [ConsoleHub.Definition] {
        let ports = facts.ports.filter { $0.logFile != nil } + facts.ports.filter { $0.logFile == nil }
        return ports.enumerated().compactMap { number, port in
            guard let endpoint = endpoint(of: port), let stream = StreamName("console\(number)") else {
                return nil
            }
            let key = StreamKey(name: facts.name, uuid: facts.uuid, stream: stream)
            return try? ConsoleHub.Definition(key: key, endpoint: endpoint, isOnDemand: true)
        }
    }

    private static func endpoint(of port: SerialPort) -> Endpoint? {
        switch port.source {
        case .tcpListener(let host, let number):
            // What listens everywhere listens here too.
            let here = ["0.0.0.0": "127.0.0.1", "::": "::1"][host] ?? host
            return NetworkAddress(host: here, port: number).map { .tcp($0) }
        case .unixListener(let path):
            return .connect(path: path)
        case .pseudoTerminal, .other:
            return nil
        }
    }
}
