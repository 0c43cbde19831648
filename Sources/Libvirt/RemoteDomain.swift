// SPDX-License-Identifier: Apache-2.0

import LogModel

/// A domain's UUID in messages: 16 bytes.
public struct DomainUUID: Hashable, Sendable, CustomStringConvertible {
    let bytes: [UInt8]

    static let size = 16

    public var description: String {
        let parts = [0..<4, 4..<6, 6..<8, 8..<10, 10..<Self.size]
        return parts.map { Array(bytes[$0]).hexadecimal }.joined(separator: "-")
    }
}

/// A domain in libvirt's messages (`remote_nonnull_domain`).
struct RemoteDomain: Hashable, Sendable {
    /// Its name; unique at any time.
    var name: String
    /// Its permanent identity.
    var uuid: DomainUUID
    /// The number of its current run; below 0 when it does not run.
    var id: Int32

    /// Whether it runs: it has been started and has not ended, paused or not.
    var isRunning: Bool { id >= 0 }
}

extension XDRReader {
    public mutating func uuid() throws(Malformed) -> DomainUUID {
        DomainUUID(bytes: try opaque(DomainUUID.size))
    }

    mutating func domain() throws(Malformed) -> RemoteDomain {
        let name = String(decoding: try string(limit: RemoteProtocol.maximumString), as: UTF8.self)
        return RemoteDomain(name: name, uuid: try uuid(), id: try signed())
    }
}

extension XDRWriter {
    mutating func put(_ domain: RemoteDomain) {
        put(domain.name)
        put(opaque: domain.uuid.bytes)
        put(domain.id)
    }
}
