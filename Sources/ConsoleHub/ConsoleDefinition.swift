// SPDX-License-Identifier: Apache-2.0

import Capture
import LogModel
import RotatingFile

/// A definition that is not valid: the reason and the remedy.
public struct DefinitionError: Error, Hashable, Sendable, CustomStringConvertible {
    public let description: String
}

extension ConsoleHub {
    /// The definition of one console, from the configuration, the API, a watched folder or a previous process. It is
    /// validated here, whatever its source.
    public struct Definition: Hashable, Sendable {
        /// The VM and the stream.
        public let key: StreamKey
        /// Where it is reached.
        public let endpoint: Endpoint
        /// A plain rotated file that gets every byte too.
        public let plainFile: StreamOptions.PlainFile?
        /// The rate above which bytes are dropped from the store; nil: none.
        public let rate: RateLimit?
        /// The administrator's part of the path of a console found in a watched folder: links are followed in it and
        /// refused below it. nil: the console was named.
        @Bytewise public private(set) var trustedFolder: String?
        /// Whether it is connected only while it has watchers, and is not stored by this console. Otherwise it is left
        /// to other clients; a VMM is also faster without a client.
        public let isOnDemand: Bool

        public init(
            key: StreamKey,
            endpoint: Endpoint,
            plainFile: StreamOptions.PlainFile? = nil,
            rate: RateLimit? = .default,
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
                throw DefinitionError(description: "\(uuid) is not a UUID in lower case with dashes")
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

        /// Whether it was found in a watched folder: it is removed when its path is gone for good.
        var isDiscovered: Bool { trustedFolder != nil }

        /// The VM. VMs with the same name have different identities.
        public var vm: VMIdentity { key.vm }

        /// The intake of its output, on its VM's shard.
        func intake(in capture: CaptureService, on shard: Shard) -> RetryingIntake {
            let options = StreamOptions(rate: rate, plainFile: plainFile, mayReplay: endpoint.mayReplay)
            return RetryingIntake(key, options: options, in: capture, on: shard, name: "console \(key)")
        }

        // MARK: - Bounds

        /// Allowed sizes of a plain file: smaller files would be rotated at every line. 0: never rotated.
        private static let plainSizes = 4096...(1 << 40)
        /// Each rotation renames all backups.
        private static let plainBackups = 0...RotationLimits.maximumBackups
        /// Bytes per second, and burst.
        private static let rates = 1...(1 << 40)
        /// PATH_MAX without the final NUL.
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
                    description: "\(path): a path must begin with / and have at most \(pathLimit) bytes"
                )
            }
        }

        static func checkName(_ what: String, _ name: String) throws(DefinitionError) {
            if let rule = VMIdentity.fault(inName: name) {
                throw DefinitionError(description: "a VM's \(what) must be \(rule), not '\(name)'")
            }
        }
    }
}
