// SPDX-License-Identifier: Apache-2.0

import LogModel

/// Where a virt-launcher pod has the console of its VM: in the volume `private`, in a folder named by the UID of the
/// VirtualMachineInstance.
public struct ConsoleFiles: Hashable, Sendable {
    /// The UID of the VirtualMachineInstance.
    public let uid: String

    /// The volume of the pod, and where its containers mount it.
    static let volume = "private"
    static let mountPath = "/var/run/kubevirt-private"

    /// The files of the instance with that UID. Throws unless it is a UUID: it becomes part of paths.
    public init(uid: String) throws(KubeVirtError) {
        guard VMIdentity.canonicalUUID(uid) == uid else {
            throw KubeVirtError("metadata.uid of the VirtualMachineInstance is not a UUID")
        }
        self.uid = uid
    }

    /// The name of the log, beside which virtlogd keeps the rotated files.
    static let logName = "virt-serial0-log"

    /// The console's socket, on which QEMU listens.
    var socket: String { "\(Self.mountPath)/\(uid)/virt-serial0" }
    /// The console's log, which virtlogd writes and rotates.
    var log: String { "\(Self.mountPath)/\(uid)/\(Self.logName)" }
}
