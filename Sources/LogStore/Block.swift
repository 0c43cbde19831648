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

/// Memory for a block's text. It is reused for the next block when the previous one has no other owner, because fresh
/// memory is expensive: 256 KiB would be faulted in page by page.
final class BlockStorage {
    let bytes: UnsafeMutableRawBufferPointer

    init(capacity: Int) {
        bytes = .allocate(byteCount: capacity, alignment: 64)
    }

    deinit {
        bytes.deallocate()
    }
}

/// Memory that a reader reuses.
struct BlockMemory {
    private var last: BlockStorage?
    private var compressed: BlockStorage?

    /// Memory for the text of a block of `count` bytes, without other users.
    mutating func storage(for count: Int) -> BlockStorage {
        if isKnownUniquelyReferenced(&last), let last, last.bytes.count >= count {
            return last
        }
        let fresh = BlockStorage(capacity: max(count, StoreLimits.blockLimit))
        last = fresh
        return fresh
    }

    /// The bytes that `read` puts into a buffer of `count` bytes; valid until the next call.
    mutating func scratch(
        _ count: Int,
        _ read: (UnsafeMutableRawBufferPointer) throws(SystemError) -> Int
    ) throws(SystemError) -> UnsafeRawBufferPointer {
        if (compressed?.bytes.count ?? 0) < count {
            compressed = BlockStorage(capacity: max(count, StoreLimits.blockLimit))
        }
        let target = UnsafeMutableRawBufferPointer(rebasing: compressed!.bytes[..<count])
        return UnsafeRawBufferPointer(rebasing: target[..<(try read(target))])
    }
}
