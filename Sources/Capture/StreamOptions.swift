import LogModel
import LogStore
import RotatingFile

/// What a stream's owner decides.
public struct StreamOptions: Sendable {
    /// Encoding, clock, replayable or not.
    public var properties: StreamProperties
    /// The rate above which bytes are dropped from the store; nil: none.
    public var rate: RateLimit?
    /// A plain rotated file that gets every byte too.
    public var plainFile: PlainFile?

    /// A plain file beside the store.
    public struct PlainFile: Hashable, Sendable {
        /// Its path.
        @Bytewise public var path: String
        /// The part of the path that is the administrator's: links are followed there, and refused below it. nil: they
        /// are followed in the whole path, but for its last component.
        @Bytewise public var trustedFolder: String?
        /// Its size and backups.
        public var limits: RotationLimits
        /// Access of the files made.
        public var mode: UInt32

        /// A plain file from its parts.
        public init(
            path: String,
            trustedFolder: String? = nil,
            limits: RotationLimits = .standard,
            mode: UInt32 = 0o600
        ) {
            self.path = path
            self.trustedFolder = trustedFolder
            self.limits = limits
            self.mode = mode
        }
    }

    /// Options from their parts; a console's by default.
    public init(
        properties: StreamProperties = StreamProperties(),
        rate: RateLimit? = .standard,
        plainFile: PlainFile? = nil
    ) {
        self.properties = properties
        self.rate = rate
        self.plainFile = plainFile
    }
}
