// SPDX-License-Identifier: Apache-2.0

public import LogModel

/// The collector's state, for `guestlog status`.
public struct CollectorSummary: Hashable, Sendable {
    /// The listeners.
    public var listeners: [String] = []
    /// The number of open connections.
    public var connections = 0
    /// The names of the connected VMs.
    public var guests: [String] = []

    public var json: JSON {
        .object([
            ("listeners", .array(listeners.map { .string($0) })),
            ("connections", .integer(Int64(connections))),
            ("guests", .array(guests.map { .string($0) })),
        ])
    }
}
