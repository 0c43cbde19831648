// SPDX-License-Identifier: Apache-2.0

import Capture
import Glibc
import LogModel
import LogStore
import SystemIO

// The limits of logs, as the store applies them.
extension Configuration {
    /// The part of the store's file system that all logs together may use.
    private static let totalShare = 10
    /// The maximum of that, in bytes.
    private static let totalLimit = 10 << 30

    /// The limits of one VM.
    func quota(of vm: VMIdentity) -> Quota {
        overrides.first { $0.vms.contains(vm) }?.quota ?? quota
    }

    /// Options of a process that captures into this store, with its rings in the folder `inflight`.
    func captureOptions(inflight: String) -> CaptureService.Options {
        var options = CaptureService.Options(store: store, inflight: inflight)
        options.totalQuota = { [self] in effectiveTotal() }
        options.deletedAge = deletedAge
        options.quota = { [self] in quota(of: $0) }
        return options
    }

    /// The limit of all logs together, in bytes: as configured, else a tenth of the file system, at most 10 GiB.
    func effectiveTotal() -> Int {
        if let totalQuota {
            return totalQuota
        }
        var status = statvfs()
        guard statvfs(store, &status) == 0 else {
            return Self.totalLimit
        }
        return min(Self.totalLimit, Int(status.f_blocks) * Int(status.f_frsize) / Self.totalShare)
    }
}
