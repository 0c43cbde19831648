// SPDX-License-Identifier: Apache-2.0

import LogModel
import SystemIO

/// The end of a closed segment: all block headers in one skippable frame, then a seek table for zstd's own seekable
/// decoders.
enum SegmentIndex {
    static let tag = UInt32(littleEndianBytes: "GLS1")
    /// A block's fields, its file position (u64), its payload's length (u32) and four reserved bytes.
    static let entrySize = BlockHeader.fieldsSize + 16
    private static let seekableMagic: UInt32 = 0x8F92_EAB1
    private static let footerSize = 9
    private static let seekEntrySize = 8

    static func append(_ headers: [BlockHeader], to out: inout [UInt8]) {
        SkippableFrame.append(tag: tag, to: &out) { body in
            for header in headers {
                header.encodeFields(into: &body)
                body.append(littleEndian: UInt64(header.position))
                body.append(littleEndian: UInt32(header.payloadLength))
                body.append(littleEndian: UInt32(0))
            }
        }
        // Two frames for each block: the skippable one decodes to nothing.
        out.append(littleEndian: SkippableFrame.seekTableMagic)
        out.append(littleEndian: UInt32(headers.count * 2 * seekEntrySize + footerSize))
        for header in headers {
            out.append(littleEndian: UInt32(SkippableFrame.headerSize + header.payloadLength))
            out.append(littleEndian: UInt32(0))
            out.append(littleEndian: header.frameLength)
            out.append(littleEndian: header.rawLength)
        }
        out.append(littleEndian: UInt32(headers.count * 2))
        out.append(0)
        out.append(littleEndian: seekableMagic)
    }

    /// The headers of a closed segment; nil when it has no valid index.
    static func read(from file: StoredFile, size: Int) throws(SystemError) -> [BlockHeader]? {
        // One read covers the whole tail of a full segment.
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
            for index in 0..<count {
                let entry = UnsafeRawBufferPointer(rebasing: body[index * entrySize..<(index + 1) * entrySize])
                guard var header = BlockHeader(decodingFields: entry) else {
                    return nil
                }
                header.position = Int(clamping: entry.littleEndian(at: BlockHeader.fieldsSize) as UInt64)
                header.payloadLength = Int(entry.littleEndian(at: BlockHeader.fieldsSize + 8) as UInt32)
                guard header.position <= size, header.nextPosition <= size,
                    (BlockHeader.encodedSize...BlockHeader.encodedSize + BlockHeader.columnsLimit)
                        .contains(header.payloadLength)
                else {
                    return nil
                }
                headers.append(header)
            }
            return headers
        }
    }
}
