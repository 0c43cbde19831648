// SPDX-License-Identifier: Apache-2.0

import Capture
import RotatingFile

extension LogManager {
    /// How logs are stored.
    public struct Options: Sendable {
        public var limits: RotationLimits
        /// Folders that may contain logs; nil: any.
        public var allowed: [String]?
        /// The setting of these folders, as named in errors.
        public var allowedSetting = Self.allowedKey
        /// The rate above which bytes go to the plain file only; nil: none.
        public var rate: RateLimit?
        /// How long libvirtd waits for earlier output to be in its file, in microseconds.
        public var commitWait: Int64 = 5_000_000

        public init(limits: RotationLimits = .default, allowed: [String]? = nil, rate: RateLimit? = .default) {
            self.limits = limits
            self.allowed = allowed
            self.rate = rate
        }

        /// The key of the allowed folders in the configuration file.
        static let allowedKey = "libvirt.log-folders"

        /// Whether a log may be opened at `path`.
        public func allows(_ path: String) -> Bool {
            (try? LogPath(path, below: allowed)) != nil
        }

        /// Where libvirt, Nova and KubeVirt create their logs.
        public static let defaultFolders = ["/var/log/libvirt", "/var/lib/nova/instances", "/var/run/kubevirt-private"]
    }
}
