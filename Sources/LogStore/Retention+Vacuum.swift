// SPDX-License-Identifier: Apache-2.0

import LogModel
import SystemIO

/// What remains after logs are removed on request. At least one of the limits is set.
public struct VacuumLimits: Hashable, Sendable {
    /// Maximum disk usage of the chosen VMs together, in bytes.
    public var bytes: Int?
    /// Maximum age of what was received, in microseconds.
    public var age: Int64?

    public init(bytes: Int? = nil, age: Int64? = nil) {
        self.bytes = bytes
        self.age = age
    }
}

// What is removed on request, before the limits of the configuration require it.
extension Retention {
    /// Removes of `vms` what exceeds `limits`, as the limits of the configuration do: the oldest segments first, and of
    /// each stream never the newest, so that somewhat more than `limits` can be left.
    func vacuum(_ vms: [Store.VM], to limits: VacuumLimits, now: Timestamp) throws(SystemError) -> Freed {
        var freed = Freed()
        if let age = limits.age {
            for vm in vms {
                freed += try removeOlder(than: age, at: now, in: vm)
            }
        }
        if let bytes = limits.bytes {
            var usages: [String: Int] = [:]
            for vm in vms {
                usages[vm.directory] = try store.usage(of: vm.directory)
            }
            freed += try reduce(&usages, to: bytes)
        }
        return freed
    }
}
