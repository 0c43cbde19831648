// SPDX-License-Identifier: Apache-2.0

// The layout of the ring's file.
extension InflightRing {
    /// The layout of the file's first page; words of different threads are a cache line and the next one apart.
    enum HeaderLayout {
        static let hostBoot = 64
        static let hostBootSize = 64
        static let head = 128
        static let tail = 256
        static let slotsUsed = 384
        /// When the shard was last active, in microseconds since the Unix epoch.
        static let lastTurn = 448
        static let read = 512
        /// The store's identity; NULs while it is unknown.
        static let storeID = 640
        /// The store's path, terminated by NUL.
        static let storePath = 1024
        static let storePathSize = 1024
    }

    /// The layout of a slot, after the length of its key.
    enum SlotLayout {
        /// 0: a console; 1: a program's output, in which no boots are looked for.
        static let content = 2
        static let bytesIn = 8
        static let bytesOut = 16
        static let shardLoss = 24
        static let writerLoss = 56
        static let shardBoundaries = 88
        static let writerBoundaries = 96
        static let key = 104
        /// At the end of the slot.
        static let plainAppend = InflightRing.slotSize - plainAppendSize
        static let plainAppendSize = 40
    }

    /// The layout of an entry's header, after the length of its payload.
    enum EntryLayout {
        static let kind = 4
        static let state = 5
        static let flags = 6
        static let slot = 8
        static let time = 16
        static let offset = 24
    }
}
