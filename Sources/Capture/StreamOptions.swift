// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import RotatingFile

/// The options of a stream.
public struct StreamOptions: Sendable {
    /// Encoding, clock, and whether it is replayable.
    public var properties: StreamProperties
    /// The rate above which bytes are dropped from the store; nil: none.
    public var rate: RateLimit?
    /// A plain rotated file that gets every byte too.
    public var plainFile: PlainFile?
    /// Whether the source may replay earlier output when it is reached again; what is stored already is not stored
    /// again then.
    public var mayReplay: Bool
    /// Whether boots are found in its text.
    public var isConsole: Bool

    /// A plain file besides the store.
    public struct PlainFile: Hashable, Sendable {
        @Bytewise public var path: String
        /// The administrator's part of the path: links are followed in it and refused below it. nil: they are followed
        /// in the whole path but its last component.
        @Bytewise public var trustedFolder: String?
        public var limits: RotationLimits
        /// Permissions of new files.
        public var mode: UInt32

        public init(
            path: String,
            trustedFolder: String? = nil,
            limits: RotationLimits = .default,
            mode: UInt32 = 0o600
        ) {
            self.path = path
            self.trustedFolder = trustedFolder
            self.limits = limits
            self.mode = mode
        }
    }

    /// Options; the defaults are those of a console.
    public init(
        properties: StreamProperties = StreamProperties(),
        rate: RateLimit? = .default,
        plainFile: PlainFile? = nil,
        mayReplay: Bool = false,
        isConsole: Bool = true
    ) {
        self.properties = properties
        self.rate = rate
        self.plainFile = plainFile
        self.mayReplay = mayReplay
        self.isConsole = isConsole
    }
}
