// SPDX-License-Identifier: Apache-2.0

import Capture

/// Why a console cannot be captured: another captured console would write the same log, or read from the same guest.
public struct ConsoleConflict: Hashable, Sendable, CustomStringConvertible {
    /// What both consoles share.
    public enum Kind: Hashable, Sendable {
        /// The VM and the stream.
        case stream
        /// The endpoint.
        case endpoint
        /// The UUID, with different names: both would have one log.
        case uuid
    }

    public let kind: Kind
    /// The captured console.
    public let other: ConsoleHub.Definition

    public var description: String {
        let name = other.key.description
        return switch kind {
        case .stream: "\(name) is captured already, at \(other.endpoint)"
        case .endpoint: "\(other.endpoint) is the console of \(name) already"
        case .uuid:
            "the UUID \(other.key.uuid ?? "") is already used by \(name), at \(other.endpoint); "
                + "two VMs with one UUID would share a log"
        }
    }
}

extension ConsoleHub.Definition {
    /// Why this console cannot be captured together with `other`; nil when it can.
    public func conflict(with other: ConsoleHub.Definition) -> ConsoleConflict? {
        if key == other.key {
            return ConsoleConflict(kind: .stream, other: other)
        }
        if endpoint == other.endpoint, endpoint != .inherited {
            return ConsoleConflict(kind: .endpoint, other: other)
        }
        if let uuid = key.uuid, uuid == other.key.uuid, key.vm != other.key.vm, !isOnDemand, !other.isOnDemand {
            // A VM known by its UUID alone has the UUID as its name; another of its streams may know the name.
            let isOneVM = key.stream != other.key.stream && [key.name, other.key.name].contains(uuid)
            return isOneVM ? nil : ConsoleConflict(kind: .uuid, other: other)
        }
        return nil
    }
}
