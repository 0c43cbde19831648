// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore

/// A marker in a console's text.
enum ConsoleMarker: Hashable, Sendable {
    /// The begin or end of a boot. It concerns the line that began so many bytes before.
    case boot(BootEvent, back: UInt64)
    /// What follows is from there.
    case origin(String)

    /// The marker as it is stored at `position`.
    func detail(at position: UInt64) -> RecordDetail {
        switch self {
        case .boot(let event, let back):
            RecordDetail(boot: BootDetail(event: event, position: position - min(position, back)))
        case .origin(let text):
            RecordDetail(origin: text)
        }
    }
}
