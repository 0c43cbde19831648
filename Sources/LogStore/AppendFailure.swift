// SPDX-License-Identifier: Apache-2.0

import SystemIO

/// An append that failed, and how many of the given bytes were committed.
public struct AppendFailure: Error, Sendable, CustomStringConvertible {
    /// Bytes committed before the failure; the caller drops the rest or gives it again.
    public var committed: Int
    public var cause: SystemError

    public var description: String { cause.description }
}
