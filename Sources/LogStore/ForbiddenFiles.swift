// SPDX-License-Identifier: Apache-2.0

import Synchronization
public import SystemIO

/// The files and folders of a store that this user may not read, which the readers of `Store.leavingOut` leave out.
public final class ForbiddenFiles: Sendable {
    private struct Found {
        var errors: [String: SystemError] = [:]
        /// The paths of those that `takeNew` returned.
        var taken: Set<String> = []
    }

    private let found = Mutex(Found())

    /// An empty list, to which readers add what they leave out.
    public init() {}

    /// The errors of all that were left out, by path.
    public var errors: [SystemError] {
        found.withLock { $0.errors.sorted { $0.key < $1.key }.map(\.value) }
    }

    /// The errors of what was left out since the last call, by path; each path's once.
    public func takeNew() -> [SystemError] {
        found.withLock { found in
            let new = found.errors.filter { !found.taken.contains($0.key) }.sorted { $0.key < $1.key }
            found.taken.formUnion(new.map(\.key))
            return new.map(\.value)
        }
    }

    /// Adds what `error` concerns, if a lack of permission is its cause; returns whether it is.
    public func add(_ error: SystemError) -> Bool {
        guard error.isForbidden else {
            return false
        }
        found.withLock { $0.errors[error.subject] = error }
        return true
    }
}
