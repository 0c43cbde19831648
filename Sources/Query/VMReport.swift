public import LogModel
public import LogStore

/// What is kept of a VM, at a glance; no block is decoded for it.
public struct VMReport: Hashable, Sendable {
    /// The earliest entry; nil when there is none.
    public var first: Timestamp?
    /// The latest entry.
    public var last: Timestamp?
    /// Bytes of text kept.
    public var textBytes: UInt64 = 0
    /// Bytes they take on disk.
    public var storedBytes = 0
    /// The streams, by name.
    public var streams: [StreamName] = []
    /// Boots of which something is kept.
    public var boots = 0
    /// Bytes known to be lost, as the gap markers kept say; what retention removed is not counted.
    public var lostBytes: UInt64 = 0
    /// Places where bytes are missing.
    public var gaps = 0
    /// What of it is damaged, or could not be read; nil when nothing that was looked at is. `verify` looks at all.
    public var problem: String?

    /// The report of `vm`. What cannot be read of it is its problem, not the caller's.
    public init(of vm: Store.VM, in store: Store) {
        problem = vm.factsProblem.map { "vm.json " + $0 }
        do {
            for stream in try store.streams(of: vm.directory) {
                streams.append(stream.stream)
                do {
                    try count(stream, in: store)
                } catch {
                    problem = problem ?? "\(error)"
                }
            }
            if let lost = try store.lostStreams(of: vm.directory).first {
                problem = problem ?? "the folder of \(lost) is missing"
            }
            boots = try BootList.boots(of: vm, in: store).count
        } catch {
            problem = problem ?? "\(error)"
        }
    }

    private mutating func count(_ stream: StreamID, in store: Store) throws {
        storedBytes += try store.usage(of: stream)
        let reader = store.reader(of: stream)
        for block in try reader.summaries() {
            first = min(first ?? .distantFuture, block.timeRange.lowerBound)
            last = max(last ?? .distantPast, block.timeRange.upperBound)
            textBytes += block.end - block.offset
            if block.flags.contains(.gap) {
                try count(reader.records(of: block))
            }
        }
        problem = problem ?? reader.unreadableFiles.first.map { "\($0)" }
    }

    private mutating func count(_ records: [IndexRecord]) {
        for record in records where record.flags.contains(.gap) {
            if let gap = RecordDetail(decoding: record.detail).gap {
                lostBytes += gap.bytes ?? 0
                gaps += gap.isClosed ? 1 : 0
            }
        }
    }
}
