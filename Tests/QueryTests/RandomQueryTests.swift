// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import TestSupport
import TestTraits
import Testing

@testable import Query

#if canImport(Glibc)
    import Glibc
#endif

@Suite("Queries, against a brute-force reader", .blocking)
struct RandomQueryTests {
    /// A new seed for every run; a failure prints it, and `GUESTLOG_SEED` sets it.
    private static let seed =
        getenv("GUESTLOG_SEED").flatMap { UInt64(String(cString: $0)) } ?? UInt64.random(in: 0...UInt64.max)
    private static let stores = 40
    private static let queriesPerStore = 25

    /// One store with its lines, as the brute-force reader sees them.
    struct Case {
        let random: RandomStore
        let vm: Store.VM
        let names: [String]
        let atoms: [[BruteForce.Atom]]
        let inputs: [[BruteForce.Line]]

        init(seed: UInt64, steps: Int) throws {
            random = try RandomStore(seed: seed, steps: steps)
            let store = random.sample.store
            vm = random.sample.vms[0].vm
            let streams = try store.streams(of: vm.directory)
            names = streams.map(\.stream.text)
            atoms = try streams.map { try BruteForce.atoms(store.reader(of: $0)) }
            inputs = atoms.enumerated().map { BruteForce.lines($1, input: $0) }
        }

        func query(_ selection: Selection, _ format: OutputFormat = .cri) throws -> LogQuery {
            try LogQuery(
                store: random.sample.store,
                vms: [vm],
                selection: selection,
                rendering: Rendering(format: format),
                now: random.sample.now
            )
        }
    }

    static func drain(_ query: LogQuery) throws -> [UInt8] {
        var out: [UInt8] = []
        while let chunk = try query.next() {
            #expect(chunk.count <= 512 << 10)
            out += chunk
        }
        return out
    }

    /// The lines of a text in the CRI format, without losses and without the empty ends of parts.
    private static func lines(_ cri: [UInt8]) -> [ArraySlice<UInt8>] {
        var isAfterPart = false
        return cri.split(separator: 0x0a).filter { line in
            let words = line.split(separator: 0x20, maxSplits: 3, omittingEmptySubsequences: false)
            guard words[1].elementsEqual("stdout".utf8) else {
                return false
            }
            isAfterPart = words[2].elementsEqual("P".utf8) || isAfterPart && words[3].isEmpty
            return words[2].elementsEqual("P".utf8) || !isAfterPart
        }
    }

    /// A random selection.
    static func selection(_ all: [BruteForce.Line], _ generator: inout SeededGenerator) throws -> Selection {
        var selection = Selection()
        func oneIn(_ n: Int) -> Bool { Int.random(in: 0..<n, using: &generator) == 0 }
        // Times at and near existing ones.
        func time() -> Timestamp {
            let some = all.randomElement(using: &generator)?.time ?? Timestamp(microseconds: 0)
            return some.advanced(byMicroseconds: [-1, 0, 1, 100_000].randomElement(using: &generator)!)
        }
        if oneIn(2) {
            selection.since = time()
        }
        if oneIn(3) {
            selection.until = time()
        }
        if oneIn(3) {
            selection.tail = [0, 1, 2, 7, 40, 300, 100_000].randomElement(using: &generator)!
        }
        if oneIn(4) {
            selection.head = [0, 1, 5, 50].randomElement(using: &generator)!
        }
        if oneIn(3) {
            let patterns = [
                "ERROR", "error", "login: $", "^panic", "k\u{c4}SE", "[0-9]", "Link is", "eth0 +Link", "x{3}", "^$",
                "usb|up",
                "tail of it", "[^a]$", "ready *$",
            ]
            selection.pattern = try Pattern(patterns.randomElement(using: &generator)!)
        }
        if oneIn(6) {
            let ends = (0..<2).map { _ in Severity.allCases.randomElement(using: &generator)! }
            selection.severities = min(ends[0], ends[1])...max(ends[0], ends[1])
        }
        return selection
    }

    @Test("every option and every combination of options selects exactly the right lines", arguments: 0..<stores)
    func selections(_ number: Int) throws {
        var generator = SeededGenerator(seed: Self.seed &+ UInt64(number))
        let seed = generator.next()
        let sample = try Case(seed: seed, steps: [5, 60, 250].randomElement(using: &generator)!)
        let all = sample.inputs.flatMap { $0 }
        for round in 0..<Self.queriesPerStore {
            let selection = try Self.selection(all, &generator)
            let wanted = BruteForce.select(selection, of: sample.inputs)
            let query = try sample.query(selection)
            let answer = try Self.drain(query)
            guard Self.lines(answer) == Self.lines(wanted.flatMap(\.cri)), query.isFinished,
                query.matchedAny == !wanted.isEmpty
            else {
                Issue.record(
                    "seed \(Self.seed), store \(number), round \(round), \(selection): \(Self.difference(answer, wanted))"
                )
                return
            }
            #expect((query.explanation() == nil) == query.matchedAny)
        }
    }

    @Test("a cursor taken anywhere resumes with exactly the rest", arguments: 0..<20)
    func cursors(_ number: Int) throws {
        try checkCursors(number, seed: Self.seed)
    }

    @Test("a page that ends before a line with an old beginning resumes where that line begins")
    func cursorsBeforeOldLines() throws {
        try checkCursors(2, seed: 10_966_063_368_146_648_976)
    }

    private func checkCursors(_ number: Int, seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed &+ UInt64(number) &+ 1 << 32)
        let sample = try Case(seed: generator.next(), steps: 60)
        let all = sample.inputs.flatMap { $0 }
        for round in 0..<4 {
            var selection = try Self.selection(all, &generator)
            selection.tail = nil
            selection.head = nil
            let wanted = BruteForce.select(selection, of: sample.inputs)
            var answer: [UInt8] = []
            let pageSize = Int.random(in: 1...40, using: &generator)
            while true {
                selection.head = Int.random(in: 1...2 * pageSize, using: &generator)
                let query = try sample.query(selection)
                let page = try Self.drain(query)
                answer += page
                selection.cursor = query.cursor
                if page.isEmpty {
                    break
                }
            }
            guard Self.lines(answer) == Self.lines(wanted.flatMap(\.cri)) else {
                Issue.record(
                    "seed \(seed), store \(number), round \(round), \(selection): \(Self.difference(answer, wanted))"
                )
                return
            }
        }
    }

    @Test("lines around matches: each once, in order, also with the last matches only", arguments: 0..<stores)
    func contexts(_ number: Int) throws {
        try checkContexts(number, seed: Self.seed)
    }

    @Test(
        "lines before a gap are around the matches after it",
        arguments: [(10, 12_171_753_876_956_692_589), (33, 13_281_480_264_342_747_873)]
    )
    func contextsBeforeGaps(_ number: Int, _ seed: UInt64) throws {
        try checkContexts(number, seed: seed)
    }

    private func checkContexts(_ number: Int, seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed &+ UInt64(number) &+ 1 << 35)
        let sample = try Case(seed: generator.next(), steps: [5, 60, 250].randomElement(using: &generator)!)
        let all = sample.inputs.flatMap { $0 }
        for round in 0..<Self.queriesPerStore {
            var selection = try Self.selection(all, &generator)
            selection.head = nil
            if !selection.filtersByText {
                selection.pattern = try Pattern("ERROR")
            }
            selection.context.before = [0, 1, 2, 5, 60].randomElement(using: &generator)!
            selection.context.after = [0, 1, 3, 50].randomElement(using: &generator)!
            let wanted = BruteForce.selectWithContext(selection, of: sample.inputs)
            let query = try sample.query(selection)
            let answer = try Self.drain(query)
            guard Self.lines(answer) == Self.lines(wanted.flatMap(\.cri)), query.isFinished,
                query.matchedAny == !wanted.isEmpty
            else {
                Issue.record(
                    "seed \(seed), store \(number), round \(round), \(selection): \(Self.difference(answer, wanted))"
                )
                return
            }
        }
    }

    @Test("a boot is what is between its beginning and the next", arguments: 0..<stores)
    func boots(_ number: Int) throws {
        var generator = SeededGenerator(seed: Self.seed &+ UInt64(number) &+ 1 << 33)
        let sample = try Case(seed: generator.next(), steps: 200)
        let boots = try BootList.boots(of: sample.vm, in: sample.random.sample.store)
        guard !boots.isEmpty else {
            return
        }
        for (index, boot) in boots.enumerated() {
            let next = index + 1 < boots.count ? boots[index + 1] : nil
            var selection = Selection()
            selection.boot = Bool.random(using: &generator) ? index + 1 : index + 1 - boots.count
            if selection.boot == 0, index + 1 != boots.count {
                selection.boot = index + 1
            }
            let inputs = sample.atoms.enumerated().map { input, atoms in
                guard sample.names[input] == boot.stream.text else {
                    return sample.inputs[input].filter {
                        $0.time >= boot.start && $0.time < next?.start ?? .distantFuture
                    }
                }
                return BruteForce.lines(
                    atoms,
                    input: input,
                    from: Cursor(offset: boot.position),
                    to: next?.position ?? .max
                )
            }
            let wanted = BruteForce.select(selection, of: inputs)
            let answer = try Self.drain(sample.query(selection))
            guard Self.lines(answer) == Self.lines(wanted.flatMap(\.cri)) else {
                Issue.record(
                    "seed \(Self.seed), store \(number), boot \(index): \(Self.difference(answer, wanted))"
                )
                return
            }
        }
    }

    @Test("stored bytes are returned unchanged, and the result is cut at the limit", arguments: 0..<10)
    func rawAndLimit(_ number: Int) throws {
        var generator = SeededGenerator(seed: Self.seed &+ UInt64(number) &+ 1 << 34)
        let sample = try Case(seed: generator.next(), steps: 100)
        let wanted = BruteForce.select(Selection(), of: sample.inputs).flatMap(\.bytes)
        #expect(try Self.drain(sample.query(Selection(), .raw)) == wanted)
        for limit in [0, 1, 17, 70_000, wanted.count, wanted.count + 1] {
            var selection = Selection()
            selection.limitBytes = limit
            let query = try sample.query(selection, .raw)
            #expect(try Self.drain(query) == Array(wanted.prefix(limit)), "seed \(Self.seed), store \(number)")
            #expect(query.isFinished)
        }
    }

    /// The first difference between a result and the expected one.
    private static func difference(_ answer: [UInt8], _ wanted: [BruteForce.Line]) -> String {
        let (lines, wantedLines) = (lines(answer), lines(wanted.flatMap(\.cri)))
        func shown(_ bytes: some Collection<UInt8>) -> String { String(decoding: bytes.prefix(120), as: UTF8.self) }
        for (index, line) in lines.enumerated() {
            guard index < wantedLines.count else {
                return "\(lines.count - index) lines too many, from '\(shown(line))'"
            }
            if line != wantedLines[index] {
                return "line \(index) of \(wantedLines.count) is '\(shown(line))', not '\(shown(wantedLines[index]))'"
            }
        }
        return "\(wantedLines.count - lines.count) lines missing, from '\(shown(wantedLines[lines.count]))'"
    }
}
