// SPDX-License-Identifier: Apache-2.0

import Capture
import ConsoleHub
import LogModel
import Libvirt
import Synchronization
import SystemIO
import VirtLogManager

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

    /// The consoles of a domain that can be joined, numbered as the log daemon numbers their logs; those without a log
    /// have the numbers after these.
    ///
    /// Pseudo-terminals are left to virsh: after an undetected end of the VMM the number may belong to another process.
    static func consoles(of facts: DomainFacts) -> [ConsoleHub.Definition] {
        let owner = LogOwner(driver: "qemu", uuid: facts.uuid ?? "", name: facts.name)
        let streams = owner.consoleStreams(of: facts.logFiles)
        let logged = Dictionary(zip(facts.logFiles, streams)) { first, _ in first }
        var unlogged = Set(streams.compactMap(\.self)).count..<Int.max
        return facts.ports.compactMap { port in
            guard port.source != .other(type: "file") else {
                return nil
            }
            let stream: StreamName? =
                if let file = port.logFile { logged[file] ?? nil } else {
                    unlogged.popFirst().flatMap { StreamName("console\($0)") }
                }
            guard let endpoint = endpoint(of: port), let stream else {
                return nil
            }
            let key = StreamKey(vm: facts.vm, stream: stream)
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
