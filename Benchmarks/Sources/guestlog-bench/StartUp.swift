// SPDX-License-Identifier: Apache-2.0

import Glibc

/// From the start of the command line to its end.
enum StartUp {
    static var rows: [Row] {
        [
            Row("start-version", targets: ["from start to end": "≤ 20"]) { try measure(["--version"]) },
            Row("start-vms", targets: ["from start to end": "≤ 20"]) {
                let folder = try Machine.freshFolder("start")
                defer { Machine.remove(folder) }
                try makeVMs(in: folder)
                return try measure(["vms", "--store", folder])
            },
        ]
    }

    private static let starts = 20

    private static func makeVMs(in folder: String) throws {
        let text = Corpus.boot(bytes: 64 << 10)
        var maker = try StoreMaker(in: folder)
        try text.withUnsafeBytes { text in
            try StoreMaker.records(of: text) { try maker.append($0) }
        }
        try maker.finish()
    }

    private static func measure(_ arguments: [String]) throws -> [Measure] {
        var times: [Double] = []
        var used = rusage()
        getrusage(__rusage_who_t(RUSAGE_CHILDREN.rawValue), &used)
        let before = seconds(used)
        for _ in 0..<starts {
            let start = Machine.now
            let child = try ChildProcess.guestlog(arguments, capturesOutput: true)
            _ = try child.outputToEnd()
            let status = child.wait()
            times.append(Machine.now - start)
            guard status == 0 else {
                throw BenchError("guestlog \(arguments.joined(separator: " ")) ended with \(status)")
            }
        }
        getrusage(__rusage_who_t(RUSAGE_CHILDREN.rawValue), &used)
        return [
            Measure("from start to end", "ms", times.sorted()[starts / 2] * 1000),
            Measure("CPU", "ms", (seconds(used) - before) / Double(starts) * 1000),
        ]
    }

    private static func seconds(_ usage: rusage) -> Double {
        Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
            + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
    }
}
