import Capture
import LogModel
import RotatingFile

/// A console that cannot be: what is wrong, and what would be right.
public struct DefinitionError: Error, Hashable, Sendable, CustomStringConvertible {
    public let description: String
}

extension ConsoleHub {
    /// What one console is told to be. It comes from the configuration, the API, a watched folder or the process before
    /// us; one that cannot be served is refused here, whichever it was.
    public struct Definition: Hashable, Sendable {
        /// The VM and stream it feeds.
        public let key: StreamKey
        /// Where it is found.
        public let endpoint: Endpoint
        /// A plain rotated file that gets every byte too.
        public let plainFile: StreamOptions.PlainFile?
        /// The rate above which bytes are dropped from the store; nil: none.
        public let rate: RateLimit?
        /// The administrator's part of the path when it was found in a watched folder: links are followed there, and
        /// refused below it. nil: it was named.
        @Bytewise public private(set) var trustedFolder: String?
        /// Whether it is reached only while somebody is on it, and its stream is captured another way or not at all:
        /// between visits it is left to others, and to a VMM that is faster with nobody there.
        public let isOnDemand: Bool

        /// A definition from its parts.
        public init(
            key: StreamKey,
            endpoint: Endpoint,
            plainFile: StreamOptions.PlainFile? = nil,
            rate: RateLimit? = .standard,
            trustedFolder: String? = nil,
            isOnDemand: Bool = false
        ) throws(DefinitionError) {
            self.key = key
            self.endpoint = endpoint
            self.plainFile = plainFile
            self.rate = rate
            self.trustedFolder = trustedFolder
            self.isOnDemand = isOnDemand
            try Self.checkName("name", key.name)
            if let namespace = key.namespace {
                try Self.checkName("namespace", namespace)
            }
            if let uuid = key.uuid, VMIdentity.canonicalUUID(uuid) != uuid {
                throw DefinitionError(description: "\(uuid) is no UUID in lower case with dashes")
            }
            if let path = endpoint.path {
                try Self.checkPath(path)
            }
            try checkPlainFile()
            if let rate {
                try Self.check("rate", rate.rate, Self.rates)
                try Self.check("burst", rate.burst, Self.rates)
            }
        }

        /// Whether it was found in a watched folder: when its path goes for good, so does it.
        public var isDiscovered: Bool { trustedFolder != nil }

        /// Whose console it is. VMs that share a name differ in it.
        public var vm: VMIdentity { VMIdentity(name: key.name, uuid: key.uuid, namespace: key.namespace) }

        // MARK: - Bounds

        /// Bytes of a plain file: smaller ones would be rotated at every line. 0: never.
        private static let plainSizes = 4096...(1 << 40)
        /// Each rotation renames them all.
        private static let plainBackups = 0...RotationLimits.maximumBackups
        /// Bytes a second, and at once.
        private static let rates = 1...(1 << 40)
        /// PATH_MAX, less its final NUL.
        private static let pathLimit = 4095

        private func checkPlainFile() throws(DefinitionError) {
            guard let plainFile else {
                return
            }
            try Self.checkPath(plainFile.path)
            try Self.check("a plain file's number of backups", plainFile.limits.backups, Self.plainBackups)
            if plainFile.limits.size != 0 {
                try Self.check("a plain file's size", plainFile.limits.size, Self.plainSizes)
            }
        }

        private static func check(_ what: String, _ value: Int, _ range: ClosedRange<Int>) throws(DefinitionError) {
            guard range.contains(value) else {
                throw DefinitionError(
                    description: "\(what) must be from \(range.lowerBound) to \(range.upperBound), not \(value)"
                )
            }
        }

        private static func checkPath(_ path: String) throws(DefinitionError) {
            guard path.hasPrefix("/"), !path.utf8.contains(0), path.utf8.count <= pathLimit else {
                throw DefinitionError(
                    description: "\(path): a path must begin with /, and be no longer than \(pathLimit) bytes"
                )
            }
        }

        static func checkName(_ what: String, _ name: String) throws(DefinitionError) {
            if let rule = VMIdentity.fault(inName: name) {
                throw DefinitionError(description: "a VM's \(what) is \(rule): '\(name)' is not")
            }
        }
    }
}
