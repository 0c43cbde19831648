// SPDX-License-Identifier: Apache-2.0

import Synchronization
import SystemIO

/// The sources that come and go while a daemon runs, on their way to the thread that reads them: the latest list
/// replaces earlier ones.
final class SourceUpdates: Sendable {
    private let latest = Mutex<[SourceDefinition]?>(nil)
    /// Signalled when there is a list.
    let event: WakeEvent

    init() throws(SystemError) {
        event = try WakeEvent()
    }

    func set(_ sources: [SourceDefinition]) {
        latest.withLock { $0 = sources }
        event.signal()
    }

    /// The latest list, once.
    func take() -> [SourceDefinition]? {
        event.sleep(microseconds: 0)
        return latest.withLock { latest in
            defer { latest = nil }
            return latest
        }
    }
}
