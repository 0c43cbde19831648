// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import Query

@Suite(.blocking) struct MessageGroupsTests {
    private func groups(_ messages: [String], limit: Int = 5000) -> MessageGroups {
        var groups = MessageGroups(limit: limit)
        for (number, message) in messages.enumerated() {
            let time = Timestamp(microseconds: Int64(number))
            Array(message.utf8).withUnsafeBytes { _ = groups.add($0, vm: number % 3, time: time, severity: nil) }
        }
        return groups
    }

    private func texts(_ messages: [String]) -> [String] {
        groups(messages).sorted.map { String(decoding: $0.text, as: UTF8.self) }.sorted()
    }

    @Test("values are masked: numbers, identifiers, paths, quoted texts, lists; words are not")
    func masks() {
        #expect(texts(["[   12.345678] eth0: link is up", "[    3.000001] eth1: link is up"]) == ["<*>: link is up"])
        #expect(texts(["pid=12 exited", "pid=4077 exited"]) == ["pid=<*> exited"])
        #expect(texts([#"open "/etc/a" failed"#, #"open "b c d" failed"#]) == ["open <*> failed"])
        #expect(texts(["read /etc/passwd", "read /var/log/x"]) == ["read <*>"])
        #expect(texts(["cpus 1 2 3 online", "cpus 1 2 3 4 5 6 online"]) == ["cpus <*> online"])
        #expect(texts(["VM Started", "VM Paused"]) == ["VM Paused", "VM Started"])
        #expect(texts(["", "   "]) == [""])
    }

    @Test("long messages that differ in a word are one shape; different ones are not")
    func similar() {
        let one = ["connection from alpha closed by peer", "connection from beta closed by peer"]
        #expect(texts(one) == ["connection from <*> closed by peer"])
        #expect(texts(["failed to start the network service now", "failed at once: no more memory left"]).count == 2)
    }

    @Test("counts add up to the messages, VMs and times are counted, and what does not fit is counted together")
    func sums() {
        let messages = (0..<3000).map {
            "shape-\(String($0 % 700, radix: 36, uppercase: false).filter(\.isLetter)) says x\($0)"
        }
        for limit in [10, 5000] {
            let groups = groups(messages, limit: limit)
            #expect(groups.count == 3000 && groups.sorted.reduce(0) { $0 + $1.count } == 3000)
            #expect(groups.sorted.count <= limit + 1)
        }
        let group = groups(["a b", "a b", "a b", "a b"]).sorted[0]
        #expect(group.vmCount == 3 && group.first.microseconds == 0 && group.last.microseconds == 3)
    }

    @Test(
        "of labelled random lines at least 95 % are in the group that most lines of their label are in, and alone there"
    )
    func labelled() throws {
        var generator = SeededGenerator(seed: 51)
        var lines: [(label: Int, text: String)] = []
        for _ in 0..<2000 {
            let label = LabelledLines.templates.indices.randomElement(using: &generator)!
            lines.append((label, LabelledLines.line(label, using: &generator)))
        }
        if let path = getenv("GUESTLOG_LABELLED_LINES") {
            // For Benchmarks/patterns-drain3.
            let text = Array(lines.map { "\($0.label)\t\($0.text)\n" }.joined().utf8)
            let file = try StoredFile(String(cString: path), .create, on: LinuxFileSystem())
            try file.write(at: 0, text)
        }
        var groups = MessageGroups()
        let groupIndexes = lines.map { line in
            Array(line.text.utf8).withUnsafeBytes {
                groups.add($0, vm: 0, time: Timestamp(microseconds: 0), severity: nil)
            }
        }
        var labels: [Int: [Int: Int]] = [:]
        for (line, groupIndex) in zip(lines, groupIndexes) {
            labels[groupIndex ?? -1, default: [:]][line.label, default: 0] += 1
        }
        // The largest label of a group is right there, and a label is right only in its largest group.
        var best: [Int: Int] = [:]
        for counts in labels.values {
            let (label, count) = counts.max { $0.value < $1.value }!
            best[label] = max(best[label] ?? 0, counts.count == 1 ? count : 0)
        }
        let right = best.values.reduce(0, +)
        #expect(right >= 1900, "\(right) of 2000")
    }

    @Test("hostile messages: any bytes, any length")
    func hostile() {
        var generator = SeededGenerator(seed: 52)
        var groups = MessageGroups(limit: 100)
        for _ in 0..<2000 {
            let bytes = (0..<Int.random(in: 0..<300, using: &generator)).map { _ in
                UInt8.random(in: 0...255, using: &generator)
            }
            bytes.withUnsafeBytes { _ = groups.add($0, vm: 0, time: Timestamp(microseconds: 0), severity: .error) }
        }
        [UInt8](repeating: UInt8(ascii: "\""), count: 1 << 20).withUnsafeBytes {
            _ = groups.add($0, vm: 0, time: Timestamp(microseconds: 0), severity: .debug)
        }
        #expect(groups.count == 2001)
    }
}
