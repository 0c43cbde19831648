// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import Query
import SystemIO
import TextFormats
import Transforms

/// Reading runtime logs: 1 GB of synthetic logs of Kata Containers.
enum RuntimeLogs {
    static var rows: [Row] {
        [
            Row("logfmt-to-json", targets: ["guestlog": "≥ 400"]) { try parse(.logfmt) },
            Row("kata-to-json", targets: ["guestlog": "≥ 400"]) { try parse(.kata) },
            Row("kata-log-merge", targets: ["guestlog": "≥ 360"]) { try merge() },
            Row("patterns", targets: ["memory": "≤ 100"]) { try patterns() },
        ]
    }

    private static let bytes = 1 << 30

    /// The log of Kata, made once.
    private static func file(_ size: Int, _ name: String, seed: UInt64) throws -> String {
        let path = Machine.folder + "/" + name
        if Machine.size(of: path).length >= size {
            return path
        }
        let file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
        guard file >= 0 else {
            throw SystemError("open", path)
        }
        defer { close(file) }
        var maker = KataCorpus(seed: seed)
        var done = 0
        while done < size {
            let text = maker.text(bytes: 8 << 20)
            guard write(file, text, text.count) == text.count else {
                throw SystemError("write", path)
            }
            done += text.count
        }
        return path
    }

    /// File → records → lines of JSON to /dev/null, beside `jq -c .` on the result.
    private static func parse(_ format: RecordFormat) throws -> [Measure] {
        let path = try file(bytes, "kata.log", seed: 7)
        let sink = open("/dev/null", O_WRONLY)
        defer { close(sink) }
        var decoder = RecordDecoder(format)
        var out: [UInt8] = []
        out.reserveCapacity(2 << 20)
        var records = 0
        func add(_ record: inout RecordBuffer, _ location: RecordDecoder.Location) {
            records += 1
            record.appendJSON(to: &out)
            out.append(Lines.feed)
        }
        let start = (Machine.now, cpu())
        let total = try read(path) { piece in
            decoder.add(piece, readAt: Timestamp(microseconds: 0), add)
            _ = write(sink, out, out.count)
            out.removeAll(keepingCapacity: true)
        }
        decoder.finish(add)
        let (seconds, used) = (Machine.now - start.0, cpu() - start.1)
        let megabytes = Double(total) / 1e6
        return [
            Measure("guestlog", "MB/CPU s", megabytes / used), Measure("guestlog, wall", "MB/s", megabytes / seconds),
            Measure("records", "", Double(records)), Measure("memory", "MB", residentMegabytes()),
        ]
    }

    private static func merge() throws -> [Measure] {
        let paths = try (0..<4).map { try file(50 << 20, "kata-\($0).log", seed: UInt64(10 + $0)) }
        let files = try paths.map { path in
            let file = open(path, O_RDONLY)
            guard file >= 0 else {
                throw SystemError("open", path)
            }
            return KataLogFile(path) {
                var piece = [UInt8](repeating: 0, count: 256 << 10)
                let count = Glibc.read(file, &piece, piece.count)
                return count > 0 ? Array(piece[..<count]) : nil
            }
        }
        var options = KataLogOptions(format: .ndjson)
        options.checks = false
        var merge = KataLogMerge(files, options)
        var out: [UInt8] = []
        let start = cpu()
        var hasMore = true
        while hasMore {
            hasMore = try merge.write(256 << 10, to: &out).hasMore
            out.removeAll(keepingCapacity: true)
        }
        let used = cpu() - start
        return [
            Measure("guestlog", "MB/CPU s", Double(merge.statistics.bytes) / 1e6 / used),
            Measure("memory", "MB", residentMegabytes()),
        ]
    }

    private static func patterns() throws -> [Measure] {
        let path = try file(bytes, "kata.log", seed: 7)
        var groups = MessageGroups()
        var rest: [UInt8] = []
        let start = cpu()
        let total = try read(path) { piece in
            var at = 0
            while let feed = Lines.firstFeed(in: piece, from: at) {
                let line = UnsafeRawBufferPointer(rebasing: piece[at..<feed])
                if rest.isEmpty {
                    groups.add(line, vm: 0, time: .distantPast, severity: nil)
                } else {
                    rest.append(contentsOf: line)
                    rest.withUnsafeBytes { _ = groups.add($0, vm: 0, time: .distantPast, severity: nil) }
                    rest.removeAll(keepingCapacity: true)
                }
                at = feed + 1
            }
            rest.append(contentsOf: piece[at...])
        }
        let used = cpu() - start
        return [
            Measure("guestlog", "lines/CPU s", Double(groups.count) / used),
            Measure("guestlog, bytes", "MB/CPU s", Double(total) / 1e6 / used),
            Measure("shapes", "", Double(groups.sorted.count)), Measure("memory", "MB", residentMegabytes()),
        ]
    }

    /// Passes the file's bytes to `body`; returns their number.
    private static func read(_ path: String, _ body: (UnsafeRawBufferPointer) throws -> Void) throws -> Int {
        let file = open(path, O_RDONLY)
        guard file >= 0 else {
            throw SystemError("open", path)
        }
        defer { close(file) }
        var piece = [UInt8](repeating: 0, count: 1 << 20)
        var total = 0
        while case let count = Glibc.read(file, &piece, piece.count), count > 0 {
            total += count
            try piece.withUnsafeBytes { try body(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
        }
        return total
    }

    private static func cpu() -> Double {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
            + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
    }

    private static func residentMegabytes() -> Double {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return Double(usage.ru_maxrss) / 1000
    }
}
