// SPDX-License-Identifier: Apache-2.0

import Capture
public import LogModel
public import LogStore
public import SystemIO

/// Marks VMs as deleted in a store without a daemon, such as that of `guestlog run`.
public enum VMRemoval {
    /// Ends `vm` at `now`. Throws when another process writes its log, or the store cannot be written.
    public static func end(_ vm: Store.VM, in store: Store, at now: Timestamp) throws(SystemError) {
        let identity = vm.identity
        let writer = try VMStore(
            store: store,
            name: identity.name,
            uuid: identity.uuid,
            namespace: identity.namespace,
            hostBoot: ProcFile.bootID,
            now: now
        )
        try writer.end(at: now)
    }
}
