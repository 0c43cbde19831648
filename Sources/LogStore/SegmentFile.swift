import CLinux
import LogModel
import SystemIO

/// A segment or a boot head, for reading: sealed blocks one after another, and, once it is closed, their index.
///
/// A growing segment is read by walking its headers, a closed one by its index. A block is listed only when all of it
/// is in the file.
final class SegmentFile {
    private let file: StoredFile
    private(set) var headers: [BlockHeader] = []
    private(set) var isClosed = false
    /// Where the next block of a growing segment will begin.
    private(set) var length = 0

    init(path: String, fileSystem: any FileSystem) throws(SystemError) {
        file = try StoredFile(path, .read, on: fileSystem)
        try refresh()
    }

    /// Looks for blocks added since.
    func refresh() throws(SystemError) {
        guard !isClosed else {
            return
        }
        let size = try file.size
        if let closed = try SegmentIndex.read(from: file, size: size) {
            headers = closed
            isClosed = true
            return
        }
        while let header = try header(at: length, size: size) {
            headers.append(header)
            length = header.nextPosition
        }
    }

    private func header(at position: Int, size: Int) throws(SystemError) -> BlockHeader? {
        let fixed = SkippableFrame.headerSize + BlockHeader.encodedSize
        guard position + fixed <= size else {
            return nil
        }
        let start = try file.read(at: position, count: fixed)
        let payloadLength = start.withUnsafeBytes { bytes -> Int? in
            guard bytes.littleEndian(at: 0) as UInt32 == SkippableFrame.magic,
                bytes.littleEndian(at: 8) as UInt32 == BlockHeader.tag
            else {
                return nil
            }
            return Int(bytes.littleEndian(at: 4) as UInt32)
        }
        guard let payloadLength, payloadLength >= BlockHeader.encodedSize,
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

    /// A block, decoded and checked; nil when it is damaged.
    func block(
        _ header: BlockHeader,
        _ decompressor: Decompressor,
        _ memory: inout BlockMemory
    ) throws(SystemError) -> Block? {
        let size = header.nextPosition - header.position
        let whole = try file.read(at: header.position, count: size)
        guard whole.count == size else {
            return nil
        }
        let storage = memory.storage(for: Int(header.rawLength))
        let target = UnsafeMutableRawBufferPointer(rebasing: storage.bytes[..<Int(header.rawLength)])
        let frameStart = header.framePosition - header.position
        let isSound = whole.withUnsafeBytes { bytes in
            decompressor.decompress(UnsafeRawBufferPointer(rebasing: bytes[frameStart...]), into: target)
        }
        guard isSound, gl_crc32c(0, target.baseAddress, target.count) == header.checksum else {
            return nil
        }
        let payload = Array(whole[SkippableFrame.headerSize..<frameStart])
        return Block(offset: header.offset, storage: storage, length: target.count) {
            // The payload's checksum was right when the header was read; if the columns make no sense all the same,
            // the text is served as one record at the block's earliest time.
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

/// What closes a segment: all block headers in one skippable frame, then a seek table that zstd's own seekable
/// decoders understand.
enum SegmentIndex {
    static let tag = UInt32(littleEndianBytes: "GLS1")
    /// A block's fields, its file position (u64), its payload's length (u32) and four bytes of room.
    static let entrySize = BlockHeader.fieldsSize + 16
    private static let seekableMagic: UInt32 = 0x8F92_EAB1
    private static let footerSize = 9
    private static let seekEntrySize = 8

    static func append(_ headers: [BlockHeader], to out: inout [UInt8]) {
        SkippableFrame.append(tag: tag, to: &out) { body in
            for header in headers {
                header.encodeFields(into: &body)
                body.appendLittleEndian(UInt64(header.position))
                body.appendLittleEndian(UInt32(header.payloadLength))
                body.appendLittleEndian(UInt32(0))
            }
        }
        // Two frames a block: the skippable one decodes to nothing.
        out.appendLittleEndian(SkippableFrame.seekTableMagic)
        out.appendLittleEndian(UInt32(headers.count * 2 * seekEntrySize + footerSize))
        for header in headers {
            out.appendLittleEndian(UInt32(SkippableFrame.headerSize + header.payloadLength))
            out.appendLittleEndian(UInt32(0))
            out.appendLittleEndian(header.frameLength)
            out.appendLittleEndian(header.rawLength)
        }
        out.appendLittleEndian(UInt32(headers.count * 2))
        out.append(0)
        out.appendLittleEndian(seekableMagic)
    }

    /// The headers of a closed segment; nil when it has no sound index.
    static func read(from file: StoredFile, size: Int) throws(SystemError) -> [BlockHeader]? {
        // One read gets the whole tail of a full segment.
        let fullTail = StoreLimits.blocksPerSegment * (entrySize + 2 * seekEntrySize) + 64
        let tailSize = min(size, fullTail)
        let tail = try file.read(at: size - tailSize, count: tailSize)
        guard tail.count == tailSize, tailSize > footerSize else {
            return nil
        }
        return tail.withUnsafeBytes { bytes in
            guard bytes.littleEndian(at: tailSize - 4) as UInt32 == seekableMagic else {
                return nil
            }
            let count = Int(bytes.littleEndian(at: tailSize - footerSize) as UInt32) / 2
            let table = SkippableFrame.headerSize + count * 2 * seekEntrySize + footerSize
            let index = SkippableFrame.headerSize + 8 + count * entrySize
            guard count <= StoreLimits.blocksPerSegment, table + index <= tailSize else {
                return nil
            }
            let payloadStart = tailSize - table - index + SkippableFrame.headerSize
            let payload = UnsafeRawBufferPointer(rebasing: bytes[payloadStart..<tailSize - table])
            guard let body = SkippableFrame.body(of: payload, tag: tag) else {
                return nil
            }
            var headers: [BlockHeader] = []
            headers.reserveCapacity(count)
            for place in 0..<count {
                let entry = UnsafeRawBufferPointer(rebasing: body[place * entrySize..<(place + 1) * entrySize])
                guard var header = BlockHeader(decodingFields: entry) else {
                    return nil
                }
                header.position = Int(clamping: entry.littleEndian(at: BlockHeader.fieldsSize) as UInt64)
                header.payloadLength = Int(entry.littleEndian(at: BlockHeader.fieldsSize + 8) as UInt32)
                guard header.position <= size, header.payloadLength <= size, header.nextPosition <= size else {
                    return nil
                }
                headers.append(header)
            }
            return headers
        }
    }
}
