import CLinux
import LogModel
import SystemIO

/// An active pair, for reading: the text as it came, and the index records that say how much of it is committed.
final class PairFile {
    let base: UInt64
    private let log: StoredFile
    private let index: StoredFile
    private(set) var records: [IndexRecord] = []
    private var indexRead = 0
    private(set) var committedLength = 0

    init(_ layout: StreamLayout, base: UInt64, fileSystem: any FileSystem) throws(SystemError) {
        self.base = base
        log = try StoredFile(layout.log(base), .read, on: fileSystem)
        index = try StoredFile(layout.index(base), .read, on: fileSystem)
        try refresh()
    }

    /// Position just after the last committed byte.
    var end: UInt64 { base + UInt64(committedLength) }

    /// Markers after the last committed byte.
    var trailingMarkers: Int { records.reversed().prefix { $0.isMarker && $0.offset == end }.count }

    /// Reads the records that came since; whether there were any.
    ///
    /// Stops, without error, at the first record that is torn or does not continue the one before: a writer at work
    /// will complete it, recovery will cut it.
    @discardableResult
    func refresh() throws(SystemError) -> Bool {
        let size = try index.size
        guard size > indexRead else {
            return false
        }
        let before = records.count
        let fresh = try index.read(at: indexRead, count: size - indexRead)
        fresh.withUnsafeBytes { bytes in
            var at = 0
            while let (record, size) = IndexRecord.decode(UnsafeRawBufferPointer(rebasing: bytes[at...])),
                record.offset == end
            {
                records.append(record)
                committedLength += Int(record.length)
                at += size
            }
            indexRead += at
        }
        return records.count > before
    }

    /// The committed text from `start` (bytes after `base`) on, with the records from the one at `firstRecord` on.
    func block(from firstRecord: Int, _ memory: inout BlockMemory) throws(SystemError) -> Block? {
        let start = firstRecord < records.count ? records[firstRecord].offset : end
        let length = Int(end - start)
        let storage = memory.storage(for: length)
        let target = UnsafeMutableRawBufferPointer(rebasing: storage.bytes[..<length])
        guard try log.read(at: Int(start - base), into: target) == length else {
            return nil
        }
        let slice = Array(records[firstRecord...])
        return Block(offset: start, storage: storage, length: length) { slice }
    }

    /// Whether every committed byte is what its record's checksum says; reads all of them.
    func isSound(_ memory: inout BlockMemory) throws(SystemError) -> Bool {
        guard let whole = try block(from: 0, &memory) else {
            return false
        }
        let text = whole.text
        return records.allSatisfy { record in
            let start = Int(record.offset - base)
            return gl_crc32c(0, text.baseAddress.map { $0 + start }, Int(record.length)) == record.checksum
        }
    }
}
