// SPDX-License-Identifier: Apache-2.0

/// A message from the hub to one client of a console, in words for people.
public struct ConsoleNotice: Hashable, Sendable {
    /// Why a client's session ends after the message.
    public enum End: Hashable, Sendable {
        /// The client did not keep up with the console's output. It may join again.
        case fellBehind
        /// The console has ended, or the daemon does.
        case consoleEnded
    }

    public let text: String
    /// Nil while the session goes on.
    public let end: End?
}
