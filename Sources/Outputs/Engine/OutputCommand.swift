// SPDX-License-Identifier: Apache-2.0

import LogModel

/// What a person asks an output to do.
struct OutputCommand: Sendable {
    enum Action: Sendable {
        /// Send nothing of what is stored by now.
        case skip
        /// Send again what was received since then.
        case replay(since: Timestamp)
    }

    var action: Action
    /// Called when it is done, with the reason if it failed.
    var whenDone: @Sendable (String?) -> Void
}
