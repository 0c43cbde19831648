// SPDX-License-Identifier: Apache-2.0

import Capture
import LogModel
import SystemIO

// A hub's options, and what it says of a console.
extension ConsoleHub {
    public struct Options: Sendable {
        /// Where consoles are discovered.
        public var patterns: [DiscoveryPattern]
        /// The folder with a socket for each console, for other programs; nil: no such sockets.
        public var passThroughFolder: String?
        /// How long a console from a watched folder is kept after its path is gone, in microseconds.
        var forgetsAfter: Int64 = 60_000_000
        /// When a console is connected for the first time and its process is older than this, in microseconds, the
        /// machine has been running and no boot is recorded.
        var joinAge: Int64 = 10_000_000
        /// Whether this process itself may serve a console. Otherwise that is a mistake, or an attempt to read one
        /// console as another.
        var acceptsOwnProcess = false
        /// Maximum number of captured consoles. By default as many as half of the process's descriptors allow: each
        /// takes the connection, the socket for other programs, and at times one more.
        public var consoleLimit = max(4, (DescriptorLimit.current / 2 - 64) / 3)
        /// Maximum number of sessions through the consoles' own sockets. By default a sixteenth of the process's
        /// descriptors.
        var socketSessionLimit = max(4, DescriptorLimit.current / 16)
        /// The folder with the console of each handed-over descriptor.
        public var table: String

        public init(patterns: [DiscoveryPattern] = [], passThroughFolder: String? = nil, table: String) {
            self.patterns = patterns
            self.passThroughFolder = passThroughFolder
            self.table = table
        }
    }

    /// The state of one console.
    public struct Status: Hashable, Sendable {
        public var definition: Definition
        /// Whether it is connected.
        public var isConnected: Bool
        /// The watchers' names; several sessions of one user have the same.
        public var clients: [String]
        /// The number of watchers.
        public var watchers: Int { clients.count }
        /// The watcher with the right to write.
        public var writer: String?
        /// The socket for other programs.
        public var passThrough: String?
        /// Whether this console stores the stream; false when it is captured another way.
        public var isStored: Bool
    }
}
