// SPDX-License-Identifier: Apache-2.0

import SystemIO

/// Memory for a block's text.
final class BlockStorage {
    let bytes: UnsafeMutableRawBufferPointer

    init(capacity: Int) {
        bytes = .allocate(byteCount: capacity, alignment: 64)
    }

    deinit {
        bytes.deallocate()
    }
}

/// What decoding blocks requires, shared by the readers of one thread: memory and a decompressor.
///
/// Memory is reused for the next block when the previous one has no other owner, because fresh memory is expensive:
/// 256 KiB would be faulted in page by page.
final class BlockMemory {
    private(set) lazy var decompressor = Decompressor()
    private var pool: [BlockStorage] = []
    private var compressed: BlockStorage?

    /// Maximum number of storages kept for reuse.
    private static let poolLimit = 4
    /// The capacity of storage for a small part of a pair.
    private static let smallCapacity = 16 << 10

    /// Memory for the text of a block of `count` bytes, without other users.
    func storage(for count: Int) -> BlockStorage {
        for index in pool.indices where pool[index].bytes.count >= count && isKnownUniquelyReferenced(&pool[index]) {
            return pool[index]
        }
        let capacity = count <= Self.smallCapacity ? Self.smallCapacity : max(count, StoreLimits.blockLimit)
        let fresh = BlockStorage(capacity: capacity)
        if pool.count == Self.poolLimit {
            pool.removeFirst()
        }
        pool.append(fresh)
        return fresh
    }

    /// The bytes that `read` puts into a buffer of `count` bytes; valid until the next call.
    func scratch(
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
