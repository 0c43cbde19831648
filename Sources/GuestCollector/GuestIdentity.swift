// SPDX-License-Identifier: Apache-2.0

import LogModel

/// A guest as its transport identifies it: what is at the other end of a connection. Nothing that the guest says
/// contributes to it.
struct GuestIdentity: Hashable, Sendable, CustomStringConvertible {
    var vm: VMIdentity
    /// The transport in words, for messages: `CID 5`, a path.
    var transport: String

    var description: String { "\(vm.name) (\(transport))" }

    /// The namespace of the VMs that stand for unknown contexts.
    static let unknownNamespace = "vsock"

    /// The guest of a context that no VM is known to have: a log of its own, so that it is in no VM's.
    static func unknown(context: UInt32) -> GuestIdentity {
        GuestIdentity(
            vm: VMIdentity(name: "cid-\(context)", namespace: unknownNamespace),
            transport: "CID \(context), of no known VM"
        )
    }
}
