// SPDX-License-Identifier: Apache-2.0

public import LogModel
import LogStore

/// The contents of a stream: its bytes, its gaps, its boots.
public struct StoredText {
    public var bytes: [UInt8] = []
    public var gaps: [GapDetail] = []
    public var boots: [BootDetail] = []
    /// All markers, each with the index in `bytes` that it precedes.
    public var markers: [(index: Int, detail: RecordDetail)] = []
    /// Ranges without bytes that no marker explains.
    public var missing: [Batch.Missing] = []
    /// The bytes after the last of those ranges.
    public var bytesSinceMissing: ArraySlice<UInt8> { bytes[lastMissing...] }
    private var lastMissing = 0

    /// Reads `stream` from `store`; empty when it does not exist yet.
    public init(of stream: StreamID, in store: Store) throws {
        guard store.vm(in: stream.vm) != nil, try store.streams(of: stream.vm).contains(stream) else {
            return
        }
        let follower = StreamBatches(store.reader(of: stream))
        while let batch = try follower.next() {
            if !batch.missing.isEmpty {
                lastMissing = bytes.count
            }
            let blockIndex = bytes.count - Int(batch.start - batch.block.offset)
            bytes.append(contentsOf: batch.block.text[Int(batch.start - batch.block.offset)...])
            for record in batch.block.records[batch.firstRecord...] where !record.detail.isEmpty {
                let detail = RecordDetail(decoding: record.detail)
                markers.append((blockIndex + Int(record.offset - batch.block.offset), detail))
                if let gap = detail.gap {
                    gaps.append(gap)
                }
                if let boot = detail.boot {
                    boots.append(boot)
                }
            }
            missing += batch.missing
        }
    }

    public var lostBytes: Int { gaps.reduce(0) { $0 + Int($1.bytes ?? 0) } }
}
