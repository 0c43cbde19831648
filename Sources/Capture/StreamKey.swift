// SPDX-License-Identifier: Apache-2.0

import LogModel

/// The stream and VM of a source: what the transport knows, and enough to open the stream again.
public struct StreamKey: Hashable, Sendable, CustomStringConvertible {
    /// The VM, as the transport knows it.
    public var vm: VMIdentity
    public var stream: StreamName

    public init(vm: VMIdentity, stream: StreamName = .console0) {
        self.vm = vm
        self.stream = stream
    }

    public init(name: String, uuid: String? = nil, namespace: String? = nil, stream: StreamName = .console0) {
        self.init(vm: VMIdentity(name: name, uuid: uuid, namespace: namespace), stream: stream)
    }

    /// `vm/stream`, or `namespace/vm/stream`.
    public var description: String { "\(vm.nameWithNamespace)/\(stream)" }

    public var name: String { vm.name }
    public var uuid: String? { vm.uuid }
    public var namespace: String? { vm.namespace }

    /// What distinguishes the stream from others in the store: its VM may be known by another name.
    var withoutAlias: StreamKey { StreamKey(vm: vm.withoutAlias, stream: stream) }

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
