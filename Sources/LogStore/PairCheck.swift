// SPDX-License-Identifier: Apache-2.0

import CBytes
import LogModel
import SystemIO

/// Checks one active pair: every record, and the text that the records cover.
struct PairCheck {
    let layout: StreamLayout
    let base: UInt64
    let fileSystem: any FileSystem
    /// Whether a writer may be appending to it.
    let isGrowing: Bool

    /// The index's records up to the first torn or invalid one, and the bytes after them.
    private struct Index {
        var records: [IndexRecord] = []
        var length = 0
        var size = 0
        /// Whether a whole, invalid record follows them.
        var isFollowed = false

        /// Bytes of text that the records cover.
        var textLength: Int { records.reduce(0) { $0 + Int($1.length) } }
    }

    func run(
        hasLog: Bool,
        hasIndex: Bool,
        isWritten: Bool
    ) throws(SystemError) -> (intact: [IntactRange], faults: [Fault]) {
        var faults: [Fault] = []
        let log = layout.log(base)
        let size = hasLog ? min(fileSystem.status(log)?.size ?? 0, StoreLimits.pairLimit) : 0
        let most = base..<base + UInt64(size)
        guard hasIndex else {
            // The text's file is created first.
            return ([], size == 0 ? [] : [Fault(path: log, problem: "its index is missing", lost: most)])
        }
        var index = Index()
        do throws(SystemError) {
            index = try readIndex()
        } catch {
            try Self.note(error, of: layout.index(base), lost: most, &faults)
            return ([], faults)
        }
        let end = base + UInt64(index.textLength)
        guard hasLog else {
            return ([], [Fault(path: log, problem: "is missing", lost: base..<end)])
        }
        var intact: [IntactRange] = []
        do throws(SystemError) {
            intact = try checkText(index.records, &faults)
        } catch {
            try Self.note(error, of: log, lost: base..<max(end, most.upperBound), &faults)
        }
        let rest = end < most.upperBound ? end..<most.upperBound : nil
        if index.length < index.size, !isGrowing || index.isFollowed {
            faults.append(
                Fault(
                    path: layout.index(base),
                    problem: "the record at byte \(index.length) is damaged",
                    lost: rest,
                    remedy: Damage.recovered
                )
            )
        } else if let rest, !isWritten {
            let problem = "its last \(rest.count) bytes have no record in the index"
            faults.append(Fault(path: log, problem: problem, lost: rest, remedy: Damage.recovered))
        }
        return (intact, faults)
    }

    private static func note(
        _ error: SystemError,
        of path: String,
        lost: Range<UInt64>,
        _ faults: inout [Fault]
    ) throws(SystemError) {
        // A file that vanished meanwhile was sealed; the second scan finds it.
        guard error.isDamagedFile || error.code == SystemError.notFound else {
            throw error
        }
        faults.append(Fault(path: path, problem: "cannot be read: \(error.reason)", lost: lost))
    }

    private func readIndex() throws(SystemError) -> Index {
        let file = try StoredFile(layout.index(base), .read, on: fileSystem)
        let size = try file.size
        let bytes = try file.read(at: 0, count: min(size, PairFile.indexLimit))
        var index = Index(size: size)
        bytes.withUnsafeBytes { bytes in
            var end = base
            while let (record, length) = IndexRecord.decode(UnsafeRawBufferPointer(rebasing: bytes[index.length...])),
                record.offset == end, record.end - base <= StoreLimits.pairLimit
            {
                index.records.append(record)
                index.length += length
                end = record.end
            }
            index.isFollowed = IndexRecord.isWhole(UnsafeRawBufferPointer(rebasing: bytes[index.length...]))
        }
        return index
    }

    /// The ranges of text that match their records.
    private func checkText(_ records: [IndexRecord], _ faults: inout [Fault]) throws(SystemError) -> [IntactRange] {
        let path = layout.log(base)
        let file = try StoredFile(path, .read, on: fileSystem)
        let text = try file.read(at: 0, count: Int((records.last?.end ?? base) - base))
        var intact: [IntactRange] = []
        var beginsWithGap = false
        for record in records {
            let range = record.offset..<record.end
            if record.isMarker {
                beginsWithGap = beginsWithGap || (record.offset == base && record.flags.contains(.gap))
            }
            let (start, stop) = (Int(range.lowerBound - base), Int(range.upperBound - base))
            guard stop <= text.count, Self.checksum(text[start..<stop]) == record.checksum else {
                let problem = stop <= text.count ? "fails its checksum" : "is shorter than its index says"
                if let last = faults.last, last.problem.hasSuffix(problem), last.lost?.upperBound == range.lowerBound {
                    faults[faults.count - 1].lost = (last.lost?.lowerBound ?? 0)..<range.upperBound
                } else {
                    faults.append(Fault(path: path, problem: problem, lost: range))
                }
                continue
            }
            if let last = intact.last, last.range.upperBound == range.lowerBound {
                intact[intact.count - 1].range = last.range.lowerBound..<range.upperBound
            } else {
                intact.append(IntactRange(range: range))
            }
        }
        if beginsWithGap, intact.first?.range.lowerBound == base {
            intact[0].beginsWithGap = true
        }
        return intact
    }

    private static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt32 {
        bytes.withUnsafeBytes { gl_crc32c(0, $0.baseAddress, $0.count) }
    }
}
