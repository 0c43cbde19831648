// SPDX-License-Identifier: Apache-2.0

/// A message from the hub to one client of a console, in words for people.
public struct ConsoleNotice: Hashable, Sendable {
    /// Why a client's session ends after the message.
    public enum End: Hashable, Sendable {
        /// The client did not keep up with the console's output.
        case fellBehind
        /// The console goes on, but not this session: the daemon stops, or captures a console that was only joined.
        case sessionEnded
        /// The console has ended or was removed.
        case consoleEnded

        /// Whether the client may join again.
        public var mayRejoin: Bool { self != .consoleEnded }
    }

    public let text: String
    /// Nil while the session goes on.
    public let end: End?
}
