// SPDX-License-Identifier: Apache-2.0

import LogModel

/// The stream and VM of a source: what the transport knows, and enough to open the stream again.
public struct StreamKey: Hashable, Sendable {
    @Bytewise public var name: String
    /// Its UUID, in canonical form, if the transport provides one.
    public var uuid: String?
    /// Its namespace, if the transport provides one.
    @Bytewise public var namespace: String?
    public var stream: StreamName

    public init(name: String, uuid: String? = nil, namespace: String? = nil, stream: StreamName = .console0) {
        self.name = name
        self.uuid = uuid
        self.namespace = namespace
        self.stream = stream
    }

    public var vm: VMKey { VMKey(name: name, uuid: uuid, namespace: namespace) }

    public static let maximumName = VMIdentity.maximumName

    /// The form in the ring's slot table; nil when a part is too long.
    var encoded: [UInt8]? {
        guard name.utf8.count <= Self.maximumName, (namespace?.utf8.count ?? 0) <= Self.maximumName else {
            return nil
        }
        let parts: [String] = [name, uuid ?? "", namespace ?? "", stream.text]
        let bytes: [UInt8] = parts.flatMap { (part: String) -> [UInt8] in Array(part.utf8) + [0] }
        return name.utf8.contains(0) || bytes.count > InflightRing.maximumKey ? nil : bytes
    }

    init?(decoding bytes: [UInt8]) {
        let parts = bytes.split(separator: 0, omittingEmptySubsequences: false).map {
            String(decoding: $0, as: UTF8.self)
        }
        guard parts.count == 5, let stream = StreamName(parts[3]) else {
            return nil
        }
        self.init(
            name: parts[0],
            uuid: parts[1].isEmpty ? nil : parts[1],
            namespace: parts[2].isEmpty ? nil : parts[2],
            stream: stream
        )
    }
}

/// A VM, as the transport knows it.
public struct VMKey: Hashable, Sendable {
    @Bytewise public var name: String
    /// Its UUID, if the transport provides one.
    public var uuid: String?
    /// Its namespace, if the transport provides one.
    @Bytewise public var namespace: String?

    public init(name: String, uuid: String? = nil, namespace: String? = nil) {
        self.name = name
        self.uuid = uuid
        self.namespace = namespace
    }

    /// The identity: a VM with a UUID may change its name.
    var identity: VMIdentity {
        let uuid = uuid.flatMap(VMIdentity.canonicalUUID)
        return uuid == nil ? VMIdentity(name: name, namespace: namespace) : VMIdentity(name: "", uuid: uuid)
    }
}
