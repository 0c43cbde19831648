// SPDX-License-Identifier: Apache-2.0

import Capture

/// The consoles, indexed by each property that must be unique among them.
struct ConsoleRegistry {
    private var byKey: [StreamKey: Console] = [:]
    private var byEndpoint: [Endpoint: StreamKey] = [:]
    private var byUUID: [String: Set<StreamKey>] = [:]
    /// The number of captured consoles; those that are only joined do not count.
    private(set) var capturedCount = 0

    /// All consoles, in no order.
    var all: [Console] { Array(byKey.values) }

    subscript(key: StreamKey) -> Console? { byKey[key] }

    /// Adds a console without conflicts.
    mutating func insert(_ console: Console) {
        let (key, endpoint) = (console.definition.key, console.definition.endpoint)
        byKey[key] = console
        capturedCount += console.definition.isOnDemand ? 0 : 1
        if endpoint != .inherited {
            byEndpoint[endpoint] = key
        }
        if let uuid = key.uuid {
            byUUID[uuid, default: []].insert(key)
        }
    }

    /// Removes the console, if it is registered.
    mutating func remove(_ console: Console) {
        let (key, endpoint) = (console.definition.key, console.definition.endpoint)
        guard byKey[key] === console else {
            return
        }
        byKey[key] = nil
        capturedCount -= console.definition.isOnDemand ? 0 : 1
        byEndpoint[endpoint] = nil
        if let uuid = key.uuid {
            byUUID[uuid]?.remove(key)
            if byUUID[uuid]?.isEmpty == true {
                byUUID[uuid] = nil
            }
        }
    }

    /// The consoles that cannot be captured together with `definition`, that of the same stream first.
    func conflicts(with definition: ConsoleHub.Definition) -> [(console: Console, conflict: ConsoleConflict)] {
        var keys = [definition.key]
        byEndpoint[definition.endpoint].map { keys.append($0) }
        keys += definition.key.uuid.flatMap { byUUID[$0] } ?? []
        return keys.compactMap { byKey[$0] }.compactMap { console in
            definition.conflict(with: console.definition).map { (console, $0) }
        }
    }
}
