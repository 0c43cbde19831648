// SPDX-License-Identifier: Apache-2.0

/// The agent's end of a protocol: a state machine without I/O and without a clock. Times are monotonic microseconds.
public protocol AgentChannel: Sendable {
    /// What waits to be stored by the host.
    var spool: Spool { get }
    /// Whether the host has answered on this connection.
    var isEstablished: Bool { get }
    /// Adds a record at `now`.
    mutating func append(_ record: GuestRecord, at now: Int64)
    /// A connection is there.
    mutating func connected(at now: Int64)
    mutating func disconnected()
    /// Takes bytes from the host.
    mutating func receive(_ bytes: [UInt8], at now: Int64) -> ChannelAction
    /// Checks the deadlines at `now`.
    mutating func check(at now: Int64) -> ChannelAction
    /// When `nextFrame` will return something, if nothing happens before; nil: not without an event.
    var sendTime: Int64? { get }
    /// When `check` is to be called next, if nothing happens before.
    var checkTime: Int64? { get }
    /// What to send next at `now`; nil when there is nothing yet. `isFlushing`: also a batch that could grow.
    mutating func nextFrame(at now: Int64, isFlushing: Bool) -> [UInt8]?
}

extension AgentChannel {
    /// Whether everything that was added is stored by the host.
    public var isComplete: Bool { spool.isEmpty }
}

/// What an event demands of the agent.
public enum ChannelAction: Equatable, Sendable {
    case none
    /// Send what `nextFrame` returns next.
    case send
    /// Close the connection, and connect again later. The reason is for the agent's own log.
    case reconnect(String)
}
