// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import LogStore
import Query
import SystemIO

/// The time from the query `--since T` to the first lines of its result, with T anywhere in the log.
enum Since {
    static var rows: [Row] {
        [1, 10].map { gigabytes in
            Row("since-\(gigabytes)g", targets: ["warm, in process": "≤ 5"]) { try measure(gigabytes) }
        }
    }

    private static let questions = 15
    private static let coldQuestions = 3

    private static func measure(_ gigabytes: Int) throws -> [Measure] {
        let large = try LargeStore(gigabytes: gigabytes)
        let guestlog = try ChildProcess.guestlogPath()
        var random = SeededGenerator(seed: UInt64(Machine.now * 1e6))
        func moment() -> Timestamp {
            let span = UInt64(large.end - StoreMaker.beginning)
            return Timestamp(microseconds: StoreMaker.beginning + Int64(random.below(span / 100 * 98)))
        }
        func median(_ count: Int, _ body: (Timestamp) throws -> Double) rethrows -> Double {
            var times: [Double] = []
            for _ in 0..<count {
                times.append(try body(moment()) * 1000)
            }
            return times.sorted()[count / 2]
        }
        _ = try median(3) { try inProcess($0, large) }
        let warm = try median(questions) { try inProcess($0, large) }
        _ = try median(3) { try throughProgram($0, large, guestlog) }
        let warmProgram = try median(questions) { try throughProgram($0, large, guestlog) }
        var measures = [
            Measure("warm, in process", "ms", warm),
            Measure("warm, guestlog logs", "ms", warmProgram),
        ]
        if geteuid() == 0 {
            let cold = try median(coldQuestions) { time in
                try Machine.dropCaches()
                return try inProcess(time, large)
            }
            let coldProgram = try median(coldQuestions) { time in
                try Machine.dropCaches()
                return try throughProgram(time, large, guestlog)
            }
            measures.append(Measure("cold, in process", "ms", cold))
            measures.append(Measure("cold, guestlog logs", "ms", coldProgram))
        }
        return measures
    }

    /// The daemon's work for a query: a new query over the store, and the first chunk of its result.
    private static func inProcess(_ since: Timestamp, _ large: LargeStore) throws -> Double {
        let start = Machine.now
        let store = Store(root: large.folder)
        var selection = Selection()
        selection.since = since
        let query = try LogQuery(
            store: store,
            vms: try store.vms(),
            selection: selection,
            rendering: Rendering(),
            now: Timestamp(microseconds: SystemClock().wallMicroseconds())
        )
        guard let chunk = try query.next(), !chunk.isEmpty else {
            throw BenchError("nothing since \(since)")
        }
        return Machine.now - start
    }

    private static func throughProgram(_ since: Timestamp, _ large: LargeStore, _ guestlog: String) throws -> Double {
        let start = Machine.now
        let child = try ChildProcess(
            guestlog,
            ["logs", "vm", "--store", large.folder, "--since", "@\(since.microseconds / 1_000_000)"],
            capturesOutput: true
        )
        guard child.readOutput() != nil else {
            throw BenchError("guestlog logs printed nothing since \(since)")
        }
        let seconds = Machine.now - start
        child.kill(SIGKILL)
        child.wait()
        return seconds
    }
}
