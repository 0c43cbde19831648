// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The daemon when nothing happens.
enum Idle {
    private static let seconds: UInt32 = 20

    static var rows: [Row] {
        [
            Row("idle-none", runs: 3, targets: ["CPU over 20 s": "0.00", "RSS": "≤ 30"]) { try measure(0) },
            Row("idle-1000", runs: 3, targets: ["CPU over 20 s": "0.00", "RSS": "≤ 80"]) { try measure(1000) },
        ]
    }

    private static func measure(_ count: Int) throws -> [Measure] {
        let daemon = try DaemonUnderTest(guests: count, rate: 0)
        let before = ProcessUsage(of: daemon.process.id).cpu
        sleep(seconds)
        let after = ProcessUsage(of: daemon.process.id).cpu
        let memory = ProcessUsage.memory(of: daemon.process.id)
        _ = try daemon.end()
        return [
            Measure("CPU over 20 s", "s", after - before),
            Measure("RSS", "MB", memory.all),
            Measure("of it private", "MB", memory.own),
            Measure("of it the rings", "MB", memory.shared),
        ]
    }
}
