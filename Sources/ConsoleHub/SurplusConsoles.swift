// SPDX-License-Identifier: Apache-2.0

import Capture

/// Consoles that wait until another one ends, because the limit is reached.
struct SurplusConsoles {
    /// What distinguishes two consoles that wait: which of several of one stream is captured is decided when there is
    /// room.
    private struct Identity: Hashable {
        let key: StreamKey
        let endpoint: Endpoint

        init(_ definition: ConsoleHub.Definition) {
            key = definition.key
            endpoint = definition.endpoint
        }
    }

    private var waiting: [Identity: ConsoleHub.Definition] = [:]

    /// All of them, in no order.
    var definitions: [ConsoleHub.Definition] { Array(waiting.values) }

    /// Adds a console; its definition may have changed since it was added. Returns whether it did not wait before.
    mutating func insert(_ definition: ConsoleHub.Definition) -> Bool {
        waiting.updateValue(definition, forKey: Identity(definition)) == nil
    }

    mutating func remove(_ definition: ConsoleHub.Definition) {
        waiting[Identity(definition)] = nil
    }

    /// Takes one of them.
    mutating func popFirst() -> ConsoleHub.Definition? { waiting.popFirst()?.value }

    /// Removes those that `shouldRemove` accepts, and returns them.
    mutating func removeAll(where shouldRemove: (ConsoleHub.Definition) -> Bool) -> [ConsoleHub.Definition] {
        let removed = waiting.filter { shouldRemove($0.value) }
        removed.keys.forEach { waiting[$0] = nil }
        return Array(removed.values)
    }
}
