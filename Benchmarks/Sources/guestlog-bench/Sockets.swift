// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The daemon with many consoles that talk: 100,000 lines of 80 bytes a second, over all of them in turn.
///
/// A console takes six descriptors (its connection, the socket offered to others, the VM's lock, the active pair), so
/// 9,000 need a limit of open files beyond 54,000; 3,000 are measured where that cannot be raised.
enum Sockets {
    private static let rate = 100_000.0
    private static let warmUp: UInt32 = 3
    private static let measured: UInt32 = 10

    static var rows: [Row] {
        [
            Row("sockets-1000", targets: ["CPU at 100,000 lines/s": "≤ 40", "RSS": "≤ 80"]) { try measure(1000) },
            Row("sockets-3000", runs: 3) { try measure(3000) },
            Row("sockets-9000", runs: 3, targets: ["RSS": "≤ 200 (10,000)"]) { try measure(9000) },
        ]
    }

    private static func measure(_ count: Int) throws -> [Measure] {
        guard Machine.fileLimit() > count * 6 + 500 else {
            throw BenchError("\(count) consoles need \(count * 6 + 500) open files, \(Machine.fileLimit()) are allowed")
        }
        let daemon = try DaemonUnderTest(guests: count, rate: rate)
        daemon.begin()
        sleep(warmUp)
        let before = (usage: ProcessUsage(of: daemon.process.id), lines: daemon.sent, at: Machine.now)
        sleep(measured)
        let after = (usage: ProcessUsage(of: daemon.process.id), lines: daemon.sent, at: Machine.now)
        let memory = ProcessUsage.memory(of: daemon.process.id)
        let lines = Double(after.lines - before.lines)
        // What one line costs, at the rate aimed at: a sender that did not get its core does not flatter.
        func percent(_ prefix: String) -> Double {
            (after.usage.cpu(of: prefix) - before.usage.cpu(of: prefix)) / lines * rate * 100
        }
        let stored = try daemon.end()
        guard stored == daemon.sent * Guests.lineBytes else {
            throw BenchError("\(daemon.sent * Guests.lineBytes) bytes were sent, \(stored) are stored")
        }
        return [
            Measure("lines sent", "1/s", lines / (after.at - before.at)),
            Measure("CPU at 100,000 lines/s", "% of a core", percent("")),
            Measure("of it shards", "% of a core", percent("gl-shard")),
            Measure("of it the writer", "% of a core", percent("gl-writer")),
            Measure("of it the sealer", "% of a core", percent("gl-sealer")),
            Measure("RSS", "MB", memory.all),
            Measure("of it private", "MB", memory.own),
            Measure("of it the rings", "MB", memory.shared),
        ]
    }
}
