// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import LogStore
import Query
import SystemIO

/// What it costs to follow one stream that speaks, alone and among 2,000 that are silent.
enum Follow {
    static var rows: [Row] {
        [Row("follow", targets: ["2,000 streams / one": "≤ 1.3"]) { try measure() }]
    }

    private static let commits = 1000
    private static let linesPerCommit = 40

    private static func measure() throws -> [Measure] {
        // In turn, and the best of each: the first measurement also warms up the caches.
        var (alone, among) = (Double.infinity, Double.infinity)
        for _ in 0..<3 {
            alone = min(alone, try seconds(following: 1))
            among = min(among, try seconds(following: 2000))
        }
        let lines = Double(commits * linesPerCommit)
        return [
            Measure("one stream, CPU per 10,000 lines", "ms", alone / lines * 1e7),
            Measure("2,000 streams, CPU per 10,000 lines", "ms", among / lines * 1e7),
            Measure("2,000 streams / one", "x", among / alone),
        ]
    }

    /// The CPU time of a follower of `count` VMs that is told of each commit to one of them.
    private static func seconds(following count: Int) throws -> Double {
        let folder = Machine.folder + "/follow"
        Machine.remove(folder)
        defer { Machine.remove(folder) }
        try Machine.makeFolder(folder)
        let store = Store(root: folder)
        var now = Timestamp(microseconds: StoreMaker.beginning)
        var writers: [StreamWriter] = []
        var vms: [VMStore] = []
        for number in 0..<count {
            let vm = try VMStore(store: store, name: "vm\(number)", hostBoot: "bench", now: now)
            let writer = try vm.open(.console0, now: now)
            try Array("hello\n".utf8).withUnsafeBytes { try writer.append($0, time: now) }
            writer.closeFiles()
            vms.append(vm)
            writers.append(writer)
        }
        var selection = Selection()
        selection.follow = true
        let query = try LogQuery(
            store: store,
            vms: vms.map(\.vm),
            areAll: true,
            selection: selection,
            rendering: Rendering(format: .raw),
            now: now
        )
        while try query.next() != nil {}
        let line = String(repeating: "x", count: 99) + "\n"
        let text = Array(String(repeating: line, count: linesPerCommit).utf8)
        let changed = StoreChanges.streams([StreamID(vm: "vm0", stream: .console0)])
        var used = 0.0
        for _ in 0..<commits {
            now = now.advanced(byMicroseconds: StoreMaker.interval)
            try text.withUnsafeBytes { try writers[0].append($0, time: now) }
            let start = Machine.threadTime
            query.note(changed)
            var received = 0
            while let chunk = try query.next() {
                received += chunk.count
                _ = query.takeMovedCursor()
            }
            used += Machine.threadTime - start
            guard received == text.count else {
                throw BenchError("\(received) of \(text.count) bytes were received")
            }
        }
        return used
    }
}
