// SPDX-License-Identifier: Apache-2.0

import SystemIO

/// An open console and the process behind it: opened on any thread, drained by a shard, closed with its last reference.
final class Connection: Sendable {
    let descriptor: Descriptor
    let peer: PeerIdentity?
    /// Whether nothing was read from it yet.
    let isNew: Bool
    /// Whether an earlier process found that it speaks Telnet.
    let isTelnet: Bool

    /// A new connection, to the process that the kernel reports.
    init(_ descriptor: consuming Descriptor) {
        (isNew, isTelnet) = (true, false)
        peer = PeerIdentity(behind: descriptor.raw)
        self.descriptor = descriptor
    }

    /// The connection of an earlier process, as that recorded it.
    init(_ descriptor: consuming Descriptor, of entry: ConsoleTable.Entry) {
        (isNew, isTelnet) = (false, entry.isTelnet)
        let peer = entry.peer
        // procfs and getsockopt answer from the kernel's memory, so a shard may ask too.
        self.peer = peer ?? PeerIdentity(behind: descriptor.raw)
        self.descriptor = descriptor
    }
}
