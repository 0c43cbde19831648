// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import LogStore
import Query
import SystemIO

/// Searching 1 GB of text, compared with `zstdgrep` on the same segments, `grep` on the text itself.
enum Grep {
    static var rows: [Row] {
        let targets = ["guestlog": "≥ 1"]
        return [
            Row("grep-literal", targets: targets) { try measure("needle-8f3c21") },
            Row("grep-absent", targets: targets) { try measure("NoSuchWordAnywhere") },
            Row("grep-expression", targets: targets) { try measure("status=200 bytes=1[0-9]{3} duration=99[0-9]{2} ") },
            Row("grep-no-literal", targets: targets) { try measure("[a-f]{7}[0-9]-[0-9]{4}-") },
        ]
    }

    private static func measure(_ expression: String) throws -> [Measure] {
        let large = try LargeStore(gigabytes: 1)
        let text = try plainText(of: large)
        let gigabytes = Double(large.bytes) / 1e9
        let query = try ask(expression, large)
        // Warm: what is on disk was read above.
        let own = try cost { Int32(try query.answer()) }
        let zstdgrep = try cost { try search("zstdgrep", expression, in: large.segments) }
        let grep = try cost { try search("grep", expression, in: [text]) }
        guard own.found == grep.found, zstdgrep.found == grep.found else {
            throw BenchError("guestlog found \(own.found), zstdgrep \(zstdgrep.found), grep \(grep.found)")
        }
        return [
            Measure("guestlog", "GB/s", gigabytes / own.seconds),
            Measure("guestlog, a core", "GB/CPU s", gigabytes / own.cpu),
            Measure("zstdgrep", "GB/s", gigabytes / zstdgrep.seconds),
            Measure("zstdgrep, a core", "GB/CPU s", gigabytes / zstdgrep.cpu),
            Measure("grep", "GB/s", gigabytes / grep.seconds),
            Measure("grep, a core", "GB/CPU s", gigabytes / grep.cpu),
            Measure("lines found", "", Double(own.found)),
        ]
    }

    private struct Question {
        let query: LogQuery

        /// Pulls the whole answer; how many lines.
        func answer() throws -> Int {
            var lines = 0
            while let chunk = try query.next() {
                lines += chunk.count { $0 == UInt8(ascii: "\n") }
            }
            return lines
        }
    }

    private static func ask(_ expression: String?, _ large: LargeStore) throws -> Question {
        let store = Store(root: large.folder)
        var selection = Selection()
        selection.pattern = try expression.map { try Pattern($0, ignoreCase: false) }
        return Question(
            query: try LogQuery(
                store: store,
                vms: try store.vms(),
                selection: selection,
                rendering: Rendering(format: .raw),
                now: Timestamp(microseconds: SystemClock().wallMicroseconds())
            )
        )
    }

    /// The store's text in one file, made once.
    private static func plainText(of large: LargeStore) throws -> String {
        let path = large.folder + ".txt"
        if Machine.size(of: path).length >= large.bytes {
            return path
        }
        let file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
        guard file >= 0 else {
            throw SystemError("open", path)
        }
        defer { close(file) }
        let all = try ask(nil, large)
        while let chunk = try all.query.next() {
            guard write(file, chunk, chunk.count) == chunk.count else {
                throw SystemError("write", path)
            }
        }
        return path
    }

    /// What a tool counts; it runs in the C locale, where it is fastest.
    private static func search(_ tool: String, _ expression: String, in files: [String]) throws -> Int32 {
        setenv("LC_ALL", "C", 1)
        let child = try ChildProcess(tool, ["-h", "-E", expression] + files, capturesOutput: true)
        var lines: Int32 = 0
        while let piece = child.readOutput() {
            lines += Int32(piece.count { $0 == UInt8(ascii: "\n") })
        }
        child.wait()
        return lines
    }

    private static func cost(_ body: () throws -> Int32) rethrows -> (found: Int32, seconds: Double, cpu: Double) {
        let start = (Machine.now, cpu())
        let found = try body()
        return (found, Machine.now - start.0, cpu() - start.1)
    }

    /// CPU seconds of this process and of its children that have ended.
    private static func cpu() -> Double {
        [RUSAGE_SELF, RUSAGE_CHILDREN].reduce(0) { sum, who in
            var usage = rusage()
            getrusage(__rusage_who_t(who.rawValue), &usage)
            return sum + Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
                + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
        }
    }
}
