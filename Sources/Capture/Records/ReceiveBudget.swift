// SPDX-License-Identifier: Apache-2.0

/// The memory of what senders have sent to a source that it has not given to the store: incomplete messages, above all.
///
/// When all of it exceeds the limit, the largest connection of the owner that has the most is to end. So nobody can have
/// the connections of others ended by sending much.
public struct ReceiveBudget<Owner: Hashable, Connection: Hashable> {
    /// Maximum memory of all connections, in bytes.
    public let limit: Int
    private var sizes: [Owner: [Connection: Int]] = [:]
    private var used = 0

    public init(limit: Int) {
        self.limit = limit
    }

    /// Sets the memory of a connection, in bytes; 0 when it has ended.
    public mutating func set(_ size: Int, of connection: Connection, owner: Owner) {
        used += size - (sizes[owner]?[connection] ?? 0)
        if size > 0 {
            sizes[owner, default: [:]][connection] = size
        } else {
            sizes[owner]?[connection] = nil
            if sizes[owner]?.isEmpty == true {
                sizes[owner] = nil
            }
        }
    }

    /// The connection to end; nil while all are within the limit.
    public var excess: Connection? {
        guard used > limit else {
            return nil
        }
        let owners = sizes.values.map { (total: $0.values.reduce(0, +), connections: $0) }
        return owners.max { $0.total < $1.total }?.connections.max { $0.value < $1.value }?.key
    }
}
