// SPDX-License-Identifier: Apache-2.0

import Capture
import ConsoleHub
import LogModel
import Libvirt
import Synchronization
import SystemIO

/// Adds the consoles of libvirt's running domains to the hub, to be joined. Their logs come through libvirt's log
/// daemon, so these consoles are not stored, and are connected only while they have watchers: virsh, nova's serial
/// proxy and others find them free.
final class LibvirtConsoles: Sendable {
    private let hub: ConsoleHub
    private let added = Mutex<[StreamKey: ConsoleHub.Definition]>([:])

    init(_ hub: ConsoleHub) {
        self.hub = hub
    }

    /// Adds the consoles of the running domains to the hub, and removes those that were added before and run no more.
    func follow(_ directory: DomainDirectory) {
        let wanted = directory.domains.filter(\.isRunning).flatMap { Self.consoles(of: $0.facts) }
        let byKey = Dictionary(wanted.map { ($0.key, $0) }) { first, _ in first }
        added.withLock { added in
            for (key, definition) in added where byKey[key] != definition {
                // A captured console may have taken its place.
                hub.remove(definition)
                added[key] = nil
            }
            for (key, definition) in byKey where added[key] == nil {
                // A console that is captured by discovery or by name is joined through that.
                if hub.add(definition) == .new {
                    added[key] = definition
                }
            }
        }
    }

    /// The consoles of a domain that can be joined, numbered as the log daemon numbers their logs: those that have one
    /// first.
    ///
    /// Pseudo-terminals are left to virsh: after an undetected end of the VMM the number may belong to another process.
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
            // An address that listens everywhere listens on the loopback too.
            let here = ["0.0.0.0": "127.0.0.1", "::": "::1"][host] ?? host
            return NetworkAddress(host: here, port: number).map { .tcp($0) }
        case .unixListener(let path):
            return .connect(path: path)
        case .pseudoTerminal, .other:
            return nil
        }
    }
}
