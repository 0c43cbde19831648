// SPDX-License-Identifier: Apache-2.0

import LogModel
import TextFormats

/// One file of a merge: its records, formatted, a piece of the file at a time.
struct KataLogInput {
    /// A formatted record.
    struct Record {
        /// Its time, or that of the latest record with a time before it in its file: what it is sorted by.
        var order: Int64
        var body: Range<Int>
    }

    private let options: KataLogOptions
    private let file: KataLogFile
    private var decoder: RecordDecoder
    private var records: [Record] = []
    private var next = 0
    private(set) var bodies: [UInt8] = []
    private var latest = Int64.min
    private var isAtEnd = false
    private(set) var problems: [KataLogProblem] = []

    init(_ file: KataLogFile, _ options: KataLogOptions) {
        self.file = file
        self.options = options
        decoder = RecordDecoder(.kata)
    }

    /// The next record; nil at the end. Reads from the file when necessary.
    mutating func peek(_ statistics: inout KataLogStatistics) throws -> Record? {
        while next == records.count {
            guard !isAtEnd else {
                return nil
            }
            try readMore(&statistics)
        }
        return records[next]
    }

    mutating func advance() {
        next += 1
    }

    /// What was found wrong since the last call.
    mutating func takeProblems() -> [KataLogProblem] {
        defer { problems.removeAll() }
        return problems
    }

    private mutating func readMore(_ statistics: inout KataLogStatistics) throws {
        records.removeAll(keepingCapacity: true)
        bodies.removeAll(keepingCapacity: true)
        next = 0
        let piece = try file.read()
        let (options, file) = (self.options, self.file)
        var state = (records: records, bodies: bodies, latest: latest, problems: problems)
        (records, bodies, problems) = ([], [], [])
        func add(_ record: inout RecordBuffer, _ location: RecordDecoder.Location) {
            let wrong = options.checks ? KataCheck.problems(of: record, allowsMissing: options.allowsMissing) : []
            state.problems += wrong.map { KataLogProblem(file: file.name, line: location.line, problem: $0) }
            statistics.add(record, hasProblem: !wrong.isEmpty)
            state.latest = max(state.latest, record.time ?? state.latest)
            let start = state.bodies.count
            if !options.discardsRecords {
                options.format.appendBody(record, file: file.nameBytes, line: location.line, to: &state.bodies)
            }
            state.records.append(Record(order: state.latest, body: start..<state.bodies.count))
        }
        if let piece {
            statistics.bytes += piece.count
            piece.withUnsafeBytes { decoder.add($0, readAt: options.now, add) }
        } else {
            decoder.finish(add)
            isAtEnd = true
        }
        (records, bodies, latest, problems) = state
    }
}
