// SPDX-License-Identifier: Apache-2.0

import Capture
import Synchronization

/// The position of a source up to which everything is on disk, not only committed.
///
/// A mark survives a failure of the host's power. Written before its records are on disk, it would have reading begin
/// after records that the store lost.
final class DiskPosition: Sendable {
    private let state = Mutex<(awaited: Int, reached: ReadPosition?)>((0, nil))
    private let observer = Mutex<(@Sendable () -> Void)?>(nil)

    /// Has `body` called, on any thread, whenever a position is reached.
    func observe(_ body: @escaping @Sendable () -> Void) {
        observer.withLock { $0 = body }
    }

    /// Has `position`, up to which everything is committed, reached when the store has been synced; `isUrgent`: at once.
    /// Returns false when an earlier one is not reached yet, which one that is urgent does not wait for.
    func await(_ position: ReadPosition, in capture: CaptureService, isUrgent: Bool) -> Bool {
        let mayAwait = state.withLock { state in
            guard isUrgent || state.awaited == 0 else {
                return false
            }
            state.awaited += 1
            return true
        }
        if mayAwait {
            capture.whenOnDisk(isUrgent: isUrgent) { self.reach(position) }
        }
        return mayAwait
    }

    private func reach(_ position: ReadPosition) {
        state.withLock { $0 = ($0.awaited - 1, position) }
        observer.withLock { $0 }?()
    }

    /// The position reached; nil when there is none since the last call.
    func take() -> ReadPosition? {
        state.withLock { state in
            defer { state.reached = nil }
            return state.reached
        }
    }
}
