// SPDX-License-Identifier: Apache-2.0

import CBytes
import LogModel
import SystemIO

/// A segment or a boot head, for reading: sealed blocks in sequence, and, once it is closed, their index.
///
/// A growing segment is read by walking its headers, a closed one by its index. A block is listed only when it is
/// complete. After a damaged header the walk continues at the next valid one.
final class SegmentFile {
    private let file: StoredFile
    private(set) var headers: [BlockHeader] = []
    private(set) var isClosed = false
    /// The end of the last listed block.
    private(set) var length = 0
    /// The file's length at the last refresh.
    private(set) var size = 0

    init(path: String, fileSystem: any FileSystem) throws(SystemError) {
        file = try StoredFile(path, .read, on: fileSystem)
        try refresh()
    }

    /// The file at `path`; nil when it cannot be read, or another kind of file is in its place.
    static func readable(_ path: String, on fileSystem: any FileSystem) throws(SystemError) -> SegmentFile? {
        do throws(SystemError) {
            return try SegmentFile(path: path, fileSystem: fileSystem)
        } catch {
            guard error.isDamagedFile else {
                throw error
            }
            return nil
        }
    }

    /// Whether the bytes after the last block are neither a block nor the index: a block being written, the rest of a
    /// torn one, or damage.
    var hasTail: Bool { !isClosed && length < size }

    /// Whether the bytes after the last block are the beginning of the filter or the index: then no block is lost.
    var hasTornIndex: Bool {
        get throws(SystemError) {
            guard hasTail else {
                return false
            }
            let start = try file.read(at: length, count: SkippableFrame.headerSize + 4)
            return start.withUnsafeBytes { bytes in
                // Too short to be anything but torn; a block would still have its pair.
                bytes.count < SkippableFrame.headerSize + 4
                    || bytes.littleEndian(at: 0) as UInt32 == SkippableFrame.magic
                        && [SegmentFilter.tag, SegmentIndex.tag]
                            .contains(bytes.littleEndian(at: SkippableFrame.headerSize))
            }
        }
    }

    /// The filter of a closed segment; nil when it has none.
    func filter() throws(SystemError) -> SegmentFilter? {
        guard isClosed, let last = headers.last, last.nextPosition + SegmentFilter.frameSize <= size else {
            return nil
        }
        return SegmentFilter(frame: try file.read(at: last.nextPosition, count: SegmentFilter.frameSize))
    }

    /// Reads added blocks, and everything again after a cut; returns whether anything changed.
    @discardableResult
    func refresh() throws(SystemError) -> Bool {
        let now = try file.size
        // The file may have been cut and have grown again: then the last block differs from the known one.
        var isOther = isClosed ? now != size : length > now
        if !isClosed, !isOther, let last = headers.last {
            isOther = try header(at: last.position, size: now) != last
        }
        guard isOther || now != size else {
            return false
        }
        if isOther {
            headers = []
            isClosed = false
            length = 0
        }
        size = now
        if let closed = try SegmentIndex.read(from: file, size: size) {
            headers = closed
            isClosed = true
            return true
        }
        headers += try walk(from: length).headers
        length = headers.last?.nextPosition ?? 0
        return true
    }

    /// The blocks from `start` on, by their headers, and the bytes before, between and after them. Behind damage the next
    /// block is searched for within `StoreLimits.usualFileSize`.
    func walk(from start: Int) throws(SystemError) -> (headers: [BlockHeader], others: [Range<Int>]) {
        var headers: [BlockHeader] = []
        var others: [Range<Int>] = []
        var end = start
        var position: Int? = start
        while let offset = position {
            if let header = try header(at: offset, size: size) {
                if end < offset {
                    others.append(end..<offset)
                }
                headers.append(header)
                end = header.nextPosition
                position = end
            } else {
                position = try nextMagic(after: offset, before: min(size, end + StoreLimits.usualFileSize))
            }
        }
        if end < size {
            others.append(end..<size)
        }
        return (headers, others)
    }

    func bytes(in range: Range<Int>) throws(SystemError) -> [UInt8] {
        try file.read(at: range.lowerBound, count: range.count)
    }

    /// The next position, before `limit`, of a skippable frame's magic number.
    private func nextMagic(after start: Int, before limit: Int) throws(SystemError) -> Int? {
        let window = 64 << 10
        var offset = start + 1
        while offset + SkippableFrame.headerSize <= limit {
            let bytes = try file.read(at: offset, count: min(window, limit - offset))
            let found = bytes.withUnsafeBytes { buffer in
                withUnsafeBytes(of: SkippableFrame.magic.littleEndian) { magic in
                    gl_memmem(buffer.baseAddress, buffer.count, magic.baseAddress, magic.count)
                        .map { $0 - buffer.baseAddress! }
                }
            }
            if let found {
                return offset + found
            }
            guard bytes.count == window else {
                return nil
            }
            offset += window - MemoryLayout<UInt32>.size + 1
        }
        return nil
    }

    private func header(at position: Int, size: Int) throws(SystemError) -> BlockHeader? {
        let fixed = SkippableFrame.headerSize + BlockHeader.encodedSize
        guard position + fixed <= size else {
            return nil
        }
        let start = try file.read(at: position, count: fixed)
        guard start.count == fixed else {
            return nil
        }
        let payloadLength = start.withUnsafeBytes { bytes -> Int? in
            guard bytes.littleEndian(at: 0) as UInt32 == SkippableFrame.magic,
                bytes.littleEndian(at: 8) as UInt32 == BlockHeader.tag
            else {
                return nil
            }
            return Int(bytes.littleEndian(at: 4) as UInt32)
        }
        guard let payloadLength, payloadLength >= BlockHeader.encodedSize,
            payloadLength <= BlockHeader.encodedSize + BlockHeader.columnsLimit,
            payloadLength <= size - position - SkippableFrame.headerSize
        else {
            return nil
        }
        let payload = try file.read(at: position + SkippableFrame.headerSize, count: payloadLength)
        let header = payload.withUnsafeBytes { bytes in
            SkippableFrame.body(of: bytes, tag: BlockHeader.tag).flatMap(BlockHeader.init(decodingFields:))
        }
        guard var header, payload.count == payloadLength else {
            return nil
        }
        header.position = position
        header.payloadLength = payloadLength
        return header.nextPosition <= size ? header : nil
    }

    /// The records of a block, without its text; nil when they are damaged.
    func records(of header: BlockHeader, _ decompressor: Decompressor) throws(SystemError) -> [IndexRecord]? {
        let payload = try file.read(at: header.position + SkippableFrame.headerSize, count: header.payloadLength)
        return Self.records(of: header, payload: payload, decompressor)
    }

    /// A block, decoded and verified; nil when it is damaged.
    func block(
        _ header: BlockHeader,
        _ memory: BlockMemory
    ) throws(SystemError) -> Block? {
        let size = header.nextPosition - header.position
        let whole = try memory.scratch(size) { buffer throws(SystemError) in
            try file.read(at: header.position, into: buffer)
        }
        guard whole.count == size else {
            return nil
        }
        let storage = memory.storage(for: Int(header.rawLength))
        let target = UnsafeMutableRawBufferPointer(rebasing: storage.bytes[..<Int(header.rawLength)])
        let frameStart = header.framePosition - header.position
        let frame = UnsafeRawBufferPointer(rebasing: whole[frameStart...])
        guard memory.decompressor.decompress(frame, into: target),
            gl_crc32c(0, target.baseAddress, target.count) == header.checksum
        else {
            return nil
        }
        let payload = Array(whole[SkippableFrame.headerSize..<frameStart])
        return Block(offset: header.offset, storage: storage, length: target.count) {
            // The payload's checksum was valid when the header was read; if the columns are inconsistent nevertheless,
            // the text is returned as one record at the block's earliest time.
            Self.records(of: header, payload: payload, Decompressor())
                ?? [IndexRecord(offset: header.offset, time: header.timeRange.lowerBound, length: header.rawLength)]
        }
    }

    private static func records(
        of header: BlockHeader,
        payload: [UInt8],
        _ decompressor: Decompressor
    ) -> [IndexRecord]? {
        payload.withUnsafeBytes { bytes in
            guard let body = SkippableFrame.body(of: bytes, tag: BlockHeader.tag) else {
                return nil
            }
            let columns = UnsafeRawBufferPointer(rebasing: body[BlockHeader.fieldsSize...])
            func decode(_ plain: UnsafeRawBufferPointer) -> [IndexRecord]? {
                RecordColumns.decode(
                    plain,
                    base: header.offset,
                    count: Int(header.recordCount),
                    length: Int(header.rawLength)
                )
            }
            guard header.columnsCompressed else {
                return decode(columns)
            }
            return withUnsafeTemporaryAllocation(byteCount: Int(header.columnsLength), alignment: 8) { plain in
                decompressor.decompress(columns, into: plain) ? decode(UnsafeRawBufferPointer(plain)) : nil
            }
        }
    }
}
