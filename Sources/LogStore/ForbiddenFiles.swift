// SPDX-License-Identifier: Apache-2.0

import Synchronization
public import SystemIO

/// The files and folders of a store that this user may not read, which the readers of `Store.leavingOut` leave out.
public final class ForbiddenFiles: Sendable {
    private let found = Mutex<[String: SystemError]>([:])

    /// An empty list, to which readers add what they leave out.
    public init() {}

    /// The errors of all that were left out, by path.
    public var errors: [SystemError] {
        found.withLock { $0.sorted { $0.key < $1.key }.map(\.value) }
    }

    /// Adds what `error` concerns, if a lack of permission is its cause; returns whether it is.
    public func add(_ error: SystemError) -> Bool {
        guard error.isForbidden else {
            return false
        }
        found.withLock { $0[error.subject] = error }
        return true
    }
}
