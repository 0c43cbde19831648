// SPDX-License-Identifier: Apache-2.0

import SystemIO

/// How journald names the service that a process belongs to (systemd.journal-fields(7)): what the service's processes have
/// in common, whatever their ids.
struct ServiceIdentity: Sendable {
    /// `_SYSTEMD_UNIT`; nil outside a service.
    var unit: [UInt8]?
    /// `_EXE`.
    var program: [UInt8]?

    init(unit: String?, program: String?) {
        self.unit = unit.map { Array($0.utf8) }
        self.program = program.map { Array($0.utf8) }
    }

    /// That of this process, by its control group: `0::/system.slice/guestlog.service` (cgroups(7)).
    init() {
        let group = ProcFile.text("/proc/self/cgroup").split(separator: "\n").first
        let unit = group?.split(separator: "/").last { $0.hasSuffix(".service") }
        self.init(unit: unit.map { String($0) }, program: try? ProgramImage.path())
    }
}
