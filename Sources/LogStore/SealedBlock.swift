// SPDX-License-Identifier: Apache-2.0

import CBytes
import LogModel

/// The encoding of a sealed block, for the sealer and for boot heads.
enum SealedBlock {
    /// Appends the block's two frames to `out`; the caller sets the header's `position`.
    static func append(
        text: UnsafeRawBufferPointer,
        records: [IndexRecord],
        base: UInt64,
        _ compressor: Compressor,
        to out: inout [UInt8]
    ) -> BlockHeader {
        let start = out.count
        var frame: [UInt8] = []
        let checksum = gl_crc32c(0, text.baseAddress, text.count)
        var header = BlockHeader(records: records, base: base, rawLength: text.count, checksum: checksum)
        header.frameLength = UInt32(compressor.append(text, to: &frame))
        var columns: [UInt8] = []
        RecordColumns.encode(records, into: &columns)
        header.columnsLength = UInt32(columns.count)
        var packed: [UInt8] = []
        _ = columns.withUnsafeBytes { compressor.append($0, to: &packed) }
        header.columnsCompressed = packed.count < columns.count
        SkippableFrame.append(tag: BlockHeader.tag, to: &out) { body in
            header.encodeFields(into: &body)
            body.append(contentsOf: header.columnsCompressed ? packed : columns)
        }
        header.payloadLength = out.count - start - SkippableFrame.headerSize
        out.append(contentsOf: frame)
        return header
    }
}
