// SPDX-License-Identifier: Apache-2.0

import LogModel
import SystemIO

// How a writer notices that its files were removed or moved.
extension StreamWriter {
    /// The interval between checks by `isInPlace(at:)`, in microseconds.
    private static let checkInterval: Int64 = 1_000_000

    /// Whether writes still go to the stream's folder: neither the folder nor the active pair was removed or moved.
    /// Checks once a second, by the monotonic clock.
    public func isInPlace(at now: Int64) -> Bool {
        if let lastCheck, now - lastCheck < Self.checkInterval {
            return true
        }
        lastCheck = now
        return isInPlace
    }

    var isInPlace: Bool {
        guard fileSystem.status(layout.path)?.identity == folder else {
            return false
        }
        return active.map { pair in
            pair.identities.isEmpty || pair.currentIdentities(layout, on: fileSystem) == pair.identities
        } ?? true
    }

    /// Bytes known to be lost when the stream, reopened after its files were removed or moved, ends at `position`.
    func lost(whenFoundAt position: UInt64) -> UInt64 {
        let pair = active?.base ?? nextOffset
        let first = min(beginning, pair)
        if (first...nextOffset).contains(position) {
            return nextOffset - position + (position <= pair ? counted.inPair : 0)
        }
        return nextOffset - first + counted.sinceBeginning
    }
}
