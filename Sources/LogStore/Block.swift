import SystemIO

import LogModel

/// A run of a stream's bytes with its records: a decoded sealed block, or the part of an active pair asked for.
///
/// `text` is valid while the block lives.
public final class Block {
    /// Position of the first byte.
    public let offset: UInt64
    /// The bytes.
    public var text: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: storage.bytes[..<length]) }
    /// The records, in order: their data records cover `text` exactly, markers stand between.
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

    /// Position just after the last byte.
    public var end: UInt64 { offset + UInt64(length) }
}

/// Memory for a block's text, used again for the next block when nobody holds the last one any more: a fresh 256 KiB
/// would be paid for page by page.
final class BlockStorage {
    let bytes: UnsafeMutableRawBufferPointer

    init(capacity: Int) {
        bytes = .allocate(byteCount: capacity, alignment: 64)
    }

    deinit {
        bytes.deallocate()
    }
}

/// Memory that a reader uses again and again.
struct BlockMemory {
    private var last: BlockStorage?
    private var compressed: BlockStorage?

    /// Memory for the text of a block of `count` bytes, that nobody else uses.
    mutating func storage(for count: Int) -> BlockStorage {
        if isKnownUniquelyReferenced(&last), let last, last.bytes.count >= count {
            return last
        }
        let fresh = BlockStorage(capacity: max(count, StoreLimits.blockLimit))
        last = fresh
        return fresh
    }

    /// What `read` puts into memory for `count` bytes; valid until the next call.
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
