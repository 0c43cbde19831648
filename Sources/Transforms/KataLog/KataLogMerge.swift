// SPDX-License-Identifier: Apache-2.0

public import LogModel

/// A file of a merge.
public struct KataLogFile {
    public let name: String
    let nameBytes: [UInt8]
    let read: () throws -> [UInt8]?

    /// The file `name`, whose next bytes `read` returns; nil at its end.
    public init(_ name: String, read: @escaping () throws -> [UInt8]?) {
        self.name = name
        nameBytes = Array(name.utf8)
        self.read = read
    }
}

/// What `guestlog kata-log` does with records.
public struct KataLogOptions: Sendable {
    public var format: KataLogFormat
    /// Whether records are checked.
    public var checks = true
    /// Whether required fields may be absent.
    public var allowsMissing = false
    /// Whether nothing is written, only checked and counted.
    public var discardsRecords = false
    /// When the logs are read: it decides the year of a time that has none.
    public var now = Timestamp(microseconds: 0)

    public init(format: KataLogFormat) {
        self.format = format
    }
}

/// Something wrong in a file.
public struct KataLogProblem: Hashable, Sendable, CustomStringConvertible {
    public var file: String
    /// From 1.
    public var line: Int
    public var problem: String

    public var description: String { "\(file):\(line): \(problem)" }
}

/// Merges Kata's logs by time. Records of one file keep their order: one with an earlier time than those before it in
/// its file, or without a time, comes right after them. At one time the order is that of the files. Memory is limited by
/// a piece of each file.
public struct KataLogMerge {
    private let options: KataLogOptions
    private var inputs: [KataLogInput]
    public private(set) var statistics = KataLogStatistics()
    private var last: Int64?

    public init(_ files: [KataLogFile], _ options: KataLogOptions) {
        self.options = options
        inputs = files.map { KataLogInput($0, options) }
    }

    /// Appends formatted records to `out`, at least `size` bytes unless the files end. Returns what was found wrong in
    /// them, and whether there is more. Errors are those of reading.
    public mutating func write(_ size: Int, to out: inout [UInt8]) throws -> (problems: [KataLogProblem], hasMore: Bool)
    {
        var count = 0
        let start = out.count
        while out.count - start < size, count < Self.recordsPerCall {
            guard let (index, record) = try nextInput() else {
                return (takeProblems(), false)
            }
            count += 1
            statistics.records += 1
            let known = record.order == .min ? nil : record.order
            let delta = last.flatMap { last in known.map { $0.subtractingReportingOverflow(last).partialValue } } ?? 0
            last = known ?? last
            if !options.discardsRecords {
                inputs[index].bodies.withUnsafeBytes {
                    let body = UnsafeRawBufferPointer(rebasing: $0[record.body])
                    options.format.append(body, count: statistics.records, delta: delta, to: &out)
                }
            }
            inputs[index].advance()
        }
        return (takeProblems(), true)
    }

    /// So that problems are reported early when nothing is written.
    private static let recordsPerCall = 10_000

    private mutating func nextInput() throws -> (index: Int, record: KataLogInput.Record)? {
        var first: (index: Int, record: KataLogInput.Record)?
        for index in inputs.indices {
            if let record = try inputs[index].peek(&statistics), first.map({ record.order < $0.record.order }) ?? true {
                first = (index, record)
            }
        }
        return first
    }

    private mutating func takeProblems() -> [KataLogProblem] {
        inputs.indices.flatMap { inputs[$0].takeProblems() }
    }
}
