// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
import LogModel
import RotatingFile
import SystemIO

// The ring's table of slots: the stream of each, the bytes that it holds, and its unwritten losses and boundaries.
extension InflightRing {
    private func slot(_ number: Int) -> UnsafeMutableRawPointer {
        mapping + Self.headerSize + number * Self.slotSize
    }

    /// The key of a slot's stream; empty when it has none.
    func key(of number: Int) -> [UInt8] {
        let length = min(Int(slot(number).load(as: UInt16.self)), Self.maximumKey)
        return Array(UnsafeRawBufferPointer(start: slot(number) + SlotLayout.key, count: length))
    }

    /// Whether boots are found in the output of the slot's stream.
    func isConsole(_ number: Int) -> Bool {
        slot(number).load(fromByteOffset: SlotLayout.content, as: UInt8.self) == 0
    }

    /// Slots below this number have been used.
    var slotsUsed: Int { min(Int(clamping: gl_load_acquire(slotsUsedWord)), Self.slotCount) }

    /// Whether losses or boundaries of the slot's stream are not yet written as markers.
    func hasUnwrittenMarkers(_ number: Int) -> Bool {
        shardLoss(number).bytes > 0 || writerLoss(number).bytes > 0 || !shardBoundaries(number).isEmpty
            || !writerBoundaries(number).isEmpty
    }

    /// Whether it has nothing to commit, and no loss or boundary to record.
    var isSpent: Bool { !hasUncommitted && !(0..<slotsUsed).contains(where: hasUnwrittenMarkers) }

    /// Assigns a slot to a stream and zeroes its counts. Producer. Throws when tmpfs is full. Slots must be used from
    /// the lowest number on, without gaps: all below `slotsUsed` have memory.
    func setKey(_ key: [UInt8], of number: Int, isConsole: Bool = true) throws(SystemError) {
        precondition(key.count <= Self.maximumKey, "keys are checked where streams are opened")
        if let file {
            let start = Self.headerSize + number * Self.slotSize
            try Self.back(start..<(start + Self.slotSize), of: file, path)
        }
        gl_store_release(slotsUsedWord, max(slotsUsedWord.pointee, UInt64(number) + 1))
        memset(slot(number), 0, Self.slotSize)
        slot(number).storeBytes(of: isConsole ? 0 : 1, toByteOffset: SlotLayout.content, as: UInt8.self)
        (slot(number) + SlotLayout.key).copyMemory(from: key, byteCount: key.count)
        slot(number).storeBytes(of: UInt16(key.count), as: UInt16.self)
    }

    private func word(_ number: Int, _ offset: Int) -> UnsafeMutablePointer<UInt64> {
        (slot(number) + offset).assumingMemoryBound(to: UInt64.self)
    }

    /// How much of the ring the bytes of the slot's stream take, with their entries' headers.
    func held(_ number: Int) -> Int {
        Self.difference(
            word(number, SlotLayout.bytesIn).pointee,
            gl_load_acquire(word(number, SlotLayout.bytesOut))
        )
    }

    /// Adds an entry of `count` bytes to what its stream holds; producer.
    func addHeld(_ number: Int, _ count: Int) {
        word(number, SlotLayout.bytesIn).pointee &+= UInt64(Self.space(of: count))
    }

    /// Subtracts an entry of `count` bytes; consumer.
    func removeHeld(_ number: Int, _ count: Int) {
        let out = word(number, SlotLayout.bytesOut)
        gl_store_release(out, out.pointee &+ UInt64(Self.space(of: count)))
    }

    /// The bytes that the shard dropped; producer.
    func shardLoss(_ number: Int) -> Loss { loss(number, at: SlotLayout.shardLoss) }
    func setShardLoss(_ number: Int, _ loss: Loss) { setLoss(number, at: SlotLayout.shardLoss, loss) }
    /// The bytes that the writer could not write; consumer.
    func writerLoss(_ number: Int) -> Loss { loss(number, at: SlotLayout.writerLoss) }
    func setWriterLoss(_ number: Int, _ loss: Loss) { setLoss(number, at: SlotLayout.writerLoss, loss) }

    /// The boundaries whose markers did not fit into the ring; producer.
    func shardBoundaries(_ number: Int) -> PendingBoundaries {
        PendingBoundaries(word: word(number, SlotLayout.shardBoundaries).pointee)
    }
    func setShardBoundaries(_ number: Int, _ boundaries: PendingBoundaries) {
        word(number, SlotLayout.shardBoundaries).pointee = boundaries.word
    }
    /// The boundaries whose markers could not be stored; consumer.
    func writerBoundaries(_ number: Int) -> PendingBoundaries {
        PendingBoundaries(word: word(number, SlotLayout.writerBoundaries).pointee)
    }
    func setWriterBoundaries(_ number: Int, _ boundaries: PendingBoundaries) {
        word(number, SlotLayout.writerBoundaries).pointee = boundaries.word
    }

    /// The append to the stream's plain file in progress, and the end of its first entry; nil when there is none.
    /// Consumer.
    func plainAppend(_ number: Int) -> (progress: AppendProgress, firstEnd: UInt64)? {
        let words = word(number, SlotLayout.plainAppend)
        let firstEnd = gl_load_acquire(words)
        guard firstEnd > 0 else {
            return nil
        }
        let progress = AppendProgress(
            file: FileIdentity(device: words[1], inode: words[2]),
            size: Int(clamping: words[3]),
            written: Int(clamping: words[4])
        )
        return (progress, firstEnd)
    }

    func setPlainAppend(_ number: Int, _ progress: AppendProgress, firstEnd: UInt64) {
        let words = word(number, SlotLayout.plainAppend)
        gl_store_release(words, 0)
        words[1] = progress.file.device
        words[2] = progress.file.inode
        words[3] = UInt64(progress.size)
        words[4] = UInt64(progress.written)
        gl_store_release(words, firstEnd)
    }

    /// The append is complete, and its entries are marked as written.
    func endPlainAppend(_ number: Int) {
        gl_store_release(word(number, SlotLayout.plainAppend), 0)
    }

    private func loss(_ number: Int, at offset: Int) -> Loss {
        Loss(
            bytes: word(number, offset).pointee,
            lines: word(number, offset + 8).pointee,
            since: Int64(bitPattern: word(number, offset + 16).pointee),
            reason: word(number, offset + 24).pointee
        )
    }

    private func setLoss(_ number: Int, at offset: Int, _ loss: Loss) {
        word(number, offset).pointee = loss.bytes
        word(number, offset + 8).pointee = loss.lines
        word(number, offset + 16).pointee = UInt64(bitPattern: loss.since)
        word(number, offset + 24).pointee = loss.reason
    }
}
