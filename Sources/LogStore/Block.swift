// SPDX-License-Identifier: Apache-2.0

import SystemIO

import LogModel

/// A contiguous part of a stream's bytes with its records: a decoded sealed block, or the requested part of an active
/// pair.
///
/// `text` is valid as long as the block.
public final class Block {
    public let offset: UInt64
    public var text: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: storage.bytes[..<length]) }
    /// The records, in order: data records cover `text` exactly, markers are between them.
    public private(set) lazy var records: [IndexRecord] = makeRecords()

    private let storage: BlockStorage
    private let length: Int
    private let makeRecords: () -> [IndexRecord]

    init(offset: UInt64, storage: BlockStorage, length: Int, records: @escaping () -> [IndexRecord]) {
        self.offset = offset
        self.storage = storage
        self.length = length
        makeRecords = records
    }

    public var end: UInt64 { offset + UInt64(length) }
}
