// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
import LogStore
import SystemIO

/// The only queue between a shard and the store: bytes in a file on tmpfs, which outlives the process.
///
/// One producer (a shard) and one consumer (the store's writer), without locks: the producer owns `head`, the consumer
/// `tail`; both only increase and are taken modulo the capacity. An entry is a header of 32 bytes and its payload,
/// never split at the end of the ring. Besides the entries there is a table of slots, one for each stream: its key, its
/// byte counts, and the losses and boundaries that are not yet written as markers. Each word is owned by one side.
///
/// No page of the mapping is touched before tmpfs has allocated it (fallocate): a full tmpfs means that the ring is
/// full, never a SIGBUS. Where tmpfs has no room even for the table's first pages, the ring is in the process's own
/// memory: it works as usual, but a crash loses its contents (`isDurable`). The file is empty then, and is removed like
/// any ring's when nothing is left to commit: an empty file shows the next process that data was lost.
///
/// The file names the store of its bytes. The lock of its folder shows which process owns it (`InflightFolder`).
final class InflightRing: @unchecked Sendable {
    // Sendable because each field of the mapping has one owning thread, and head and tail are published with
    // release and read with acquire.

    /// The kind of an entry.
    enum Kind: UInt8 {
        case padding = 0
        case data = 1
        case gap = 2
        case boot = 3
        /// From here on the slot belongs to the stream whose key it has.
        case open = 4
        /// The stream's source is closed: no more entries of this slot follow.
        case close = 5
    }

    /// The progress of an entry; written by the consumer.
    enum State: UInt8 {
        case fresh = 0
        /// Its position in the stream is decided; it may have been written.
        case assigned = 1
        /// Committed, or counted as lost.
        case done = 2
    }

    static let magic: UInt64 = 0x3330_474e_4952_4c47  // "GLRING03"
    static let entryHeader = 32
    /// Entries begin at multiples of this.
    static let alignment = 32
    static let plainOnly: UInt16 = 1
    static let inPlainFile: UInt16 = 2
    static let headerSize = 4096
    static let slotSize = 512
    /// Maximum size of a stream key.
    static let maximumKey = slotSize - SlotLayout.key - SlotLayout.plainAppendSize
    /// Maximum number of streams of one shard.
    static let slotCount = 16_384
    /// Maximum size of a single read.
    static let maximumPayload = 64 << 10
    /// With less free space than this, bytes are counted as lost instead of read.
    static let minimumPayload = 4096
    /// When the ring is empty and this part of it was passed, writing restarts at its beginning, which keeps it in
    /// cache.
    ///
    /// The skipped space is unusable until the consumer has noticed: at most half, because the consumer may be blocked.
    private static let rewindPart = 2
    /// Bytes requested from tmpfs at once: few, so that a small tmpfs is used up to its end.
    static let backingStep = 256 << 10
    /// The offset of the entries in the file.
    private static let dataStart = headerSize + slotCount * slotSize

    /// The file; nil when the ring is in memory.
    let file: Int32?
    let mapping: UnsafeMutableRawPointer
    private let mappedSize: Int
    let data: UnsafeMutableRawPointer
    /// Size of the entries' space, in bytes.
    let capacity: Int
    let path: String
    /// Whether the contents outlive the process.
    var isDurable: Bool { file != nil }

    // Owned by the producer.
    private(set) var head: UInt64
    var pendingPadding: UInt64 = 0
    /// Bytes of the entries' space that tmpfs has allocated.
    private var backed = 0

    /// Creates an empty ring at `path`, where no file may exist, for the store in `store`. Without room for the file
    /// the ring is in memory.
    init(path: String, capacity: Int, hostBoot: String, store: String) throws(SystemError) {
        self.path = path
        self.capacity = capacity
        mappedSize = Self.dataStart + capacity
        file = try Self.createFile(at: path, size: mappedSize, backed: min(Self.backingStep, capacity))
        backed = file == nil ? capacity : min(Self.backingStep, capacity)
        mapping = try Self.map(file, mappedSize, path)
        data = mapping + Self.dataStart
        head = 0
        if file != nil {
            memset(data, 0, backed)
        }
        Self.put(hostBoot, at: mapping + HeaderLayout.hostBoot, room: HeaderLayout.hostBootSize)
        Self.put(store, at: mapping + HeaderLayout.storePath, room: HeaderLayout.storePathSize)
        mapping.storeBytes(of: Self.magic, as: UInt64.self)
    }

    /// A file of `size` bytes of which tmpfs has allocated what the beginning of a ring needs; nil without room for it, or
    /// for one more file, or where the process may write no file of that size.
    private static func createFile(at path: String, size: Int, backed: Int) throws(SystemError) -> Int32? {
        let flags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW
        var file: Int32?
        do throws(SystemError) {
            let number = try FileOwner.create(at: path) { () throws(SystemError) in
                try systemCall("open", path) { gl_open(path, flags, 0o600) }
            }
            file = number
            try systemCall("truncate", path) { ftruncate(number, size) }
            try back(0..<headerSize, of: number, path)
            try back(dataStart..<(dataStart + backed), of: number, path)
            return number
        } catch {
            if let file {
                ftruncate(file, 0)
                close(file)
            }
            guard [ENOSPC, EDQUOT, EFBIG].contains(error.code) else {
                throw error
            }
            return nil
        }
    }

    /// Opens the ring that an ended process left at `path`; nil when there is nothing to recover: it is of another boot
    /// of the host, or was never begun. Throws EUCLEAN when it is damaged, ENOTSUP when another version of this program has left it.
    init?(existing path: String, hostBoot: String) throws(SystemError) {
        let number = try systemCall("open", path) { gl_open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0) }
        let opened = Descriptor(owning: number)
        let size = try FileAttributes(of: number, path).size
        guard let header = Self.header(of: number), header.hostBoot == hostBoot else {
            return nil
        }
        guard !Self.isOtherVersion(header.magic) else {
            let reason = "the ring was written by another version of Guestlog"
            throw SystemError("open", path, code: ENOTSUP, reason: reason)
        }
        guard header.magic == Self.magic, size > Self.dataStart + Self.maximumPayload else {
            return nil
        }
        self.path = path
        capacity = size - Self.dataStart
        mappedSize = size
        mapping = try Self.map(number, size, path)
        data = mapping + Self.dataStart
        file = opened.release()
        head = 0
        head = gl_load_acquire(headWord)
        guard capacity % Self.alignment == 0, [head, tail].allSatisfy({ $0 % UInt64(Self.alignment) == 0 }),
            head &- tail <= UInt64(capacity)
        else {
            throw SystemError("open the ring", path, code: EUCLEAN)
        }
        finishRead()
    }

    deinit {
        munmap(mapping, mappedSize)
        if let file {
            close(file)
        }
    }

    private static func map(_ file: Int32?, _ size: Int, _ path: String) throws(SystemError) -> UnsafeMutableRawPointer
    {
        let flags = file == nil ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED
        guard let mapping = mmap(nil, size, PROT_READ | PROT_WRITE, flags, file ?? -1, 0), mapping != MAP_FAILED else {
            throw SystemError("mmap", path)
        }
        return mapping
    }

    static func put(_ text: String, at pointer: UnsafeMutableRawPointer, room: Int) {
        let bytes = Array(text.utf8.prefix(room - 1))
        pointer.copyMemory(from: bytes, byteCount: bytes.count)
        pointer.storeBytes(of: 0, toByteOffset: bytes.count, as: UInt8.self)
    }

    static func text(_ bytes: UnsafeRawBufferPointer, _ offset: Int, _ room: Int) -> String {
        String(decoding: bytes[offset..<(offset + room)].prefix { $0 != 0 }, as: UTF8.self)
    }

    var header: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: mapping, count: Self.headerSize) }

    var headWord: UnsafeMutablePointer<UInt64> { headerWord(HeaderLayout.head) }
    private var tailWord: UnsafeMutablePointer<UInt64> { headerWord(HeaderLayout.tail) }
    var slotsUsedWord: UnsafeMutablePointer<UInt64> { headerWord(HeaderLayout.slotsUsed) }

    func offset(of position: UInt64) -> Int { Int(position % UInt64(capacity)) }

    func payload(at position: UInt64) -> UnsafeMutableRawPointer { data + offset(of: position) + Self.entryHeader }

    func headerWord(_ offset: Int) -> UnsafeMutablePointer<UInt64> {
        (mapping + offset).assumingMemoryBound(to: UInt64.self)
    }

    static func aligned(_ size: Int) -> Int { (size + alignment - 1) & ~(alignment - 1) }

    /// The space that an entry of `count` bytes takes.
    static func space(of count: Int) -> Int { aligned(entryHeader + count) }

    /// Bytes of entries that are published and not done; for both sides.
    var used: Int { Self.difference(gl_load_acquire(headWord), gl_load_acquire(tailWord)) }

    /// `left` less `right`; 0 when that would be negative, as in a damaged ring.
    static func difference(_ left: UInt64, _ right: UInt64) -> Int {
        left > right ? Int(clamping: left - right) : 0
    }

    // MARK: - Producer

    /// Space for the payload of one entry, to be filled and then published; nil when the ring is too full.
    func reserve() -> UnsafeMutableRawBufferPointer? {
        pendingPadding = 0
        let tail = gl_load_acquire(tailWord)
        let start = offset(of: head)
        let free = capacity - Int(head - tail)
        let toEnd = capacity - start
        let mustWrap = toEnd < Self.entryHeader + Self.maximumPayload
        let mayRewind = head == tail && start >= capacity / Self.rewindPart
        if !mustWrap, !mayRewind, let room = room(at: start, free: free) {
            return room
        }
        // The rest up to the end is skipped: it is too short, or tmpfs has no memory for it.
        guard free > toEnd + Self.entryHeader + Self.minimumPayload, let room = room(at: 0, free: free - toEnd) else {
            return nil
        }
        pendingPadding = UInt64(toEnd)
        return room
    }

    /// Space for a payload after the header of the entry at `start`, of which `free` bytes are not in use; nil when
    /// that is too little. After it there is always memory for the header of one more entry: the padding that skips the
    /// rest.
    func room(at start: Int, free: Int) -> UnsafeMutableRawBufferPointer? {
        let wanted = min(Self.entryHeader + Self.maximumPayload, free)
        askForMemory(upTo: start + wanted + Self.entryHeader)
        let given = backed == capacity ? capacity - start : backed - Self.entryHeader - start
        let room = min(wanted, given & ~31) - Self.entryHeader
        guard room >= Self.minimumPayload else {
            return nil
        }
        return UnsafeMutableRawBufferPointer(start: data + start + Self.entryHeader, count: room)
    }

    /// Requests memory from tmpfs for the entries below `end`, as far as it has any.
    ///
    /// The memory is written at once: a read(2) into memory that is not mapped yet can be cut off when the process is
    /// killed, and `finishRead` would take the rest for bytes of the guest.
    private func askForMemory(upTo end: Int) {
        guard let file else {
            return
        }
        while backed < min(end, capacity) {
            let step = min(Self.backingStep, capacity - backed)
            let start = Self.dataStart + backed
            guard (try? Self.back(start..<(start + step), of: file, path)) != nil else {
                return
            }
            memset(data + backed, 0, step)
            backed += step
        }
    }

    /// Has tmpfs allocate a part of the file.
    static func back(_ part: Range<Int>, of file: Int32, _ path: String) throws(SystemError) {
        let code = gl_allocate(file, part.lowerBound, part.count)
        guard code == 0 else {
            throw SystemError("fallocate", path, code: code)
        }
    }

    /// Whether an entry of `count` bytes fits behind `padding` bytes: 0, or the size of a padding entry.
    func hasSpace(for count: Int, after padding: UInt64) -> Bool {
        let (size, free) = (Self.space(of: count), capacity - used)
        return padding % UInt64(Self.alignment) == 0 && padding <= UInt64(free) && Int(padding) + size <= free
            && offset(of: head) + Int(padding) <= capacity && offset(of: head &+ padding) + size <= capacity
    }

    /// Publishes the first `count` bytes of the space reserved last as an entry.
    func publish(_ count: Int, kind: Kind, slot: Int, time: Int64, flags: UInt16 = 0) {
        if pendingPadding > 0 {
            writeHeader(at: head, length: Int(pendingPadding) - Self.entryHeader, .padding, 0, 0, 0)
            head += pendingPadding
            pendingPadding = 0
        }
        writeHeader(at: head, length: count, kind, slot, time, flags)
        head += UInt64(Self.space(of: count))
        gl_store_release(headWord, head)
    }

    private func writeHeader(
        at position: UInt64,
        length: Int,
        _ kind: Kind,
        _ slot: Int,
        _ time: Int64,
        _ flags: UInt16
    ) {
        let base = data + offset(of: position)
        base.storeBytes(of: UInt32(length), as: UInt32.self)
        base.storeBytes(of: kind.rawValue, toByteOffset: EntryLayout.kind, as: UInt8.self)
        base.storeBytes(of: State.fresh.rawValue, toByteOffset: EntryLayout.state, as: UInt8.self)
        base.storeBytes(of: flags, toByteOffset: EntryLayout.flags, as: UInt16.self)
        base.storeBytes(of: UInt32(slot), toByteOffset: EntryLayout.slot, as: UInt32.self)
        base.storeBytes(of: time, toByteOffset: EntryLayout.time, as: Int64.self)
        base.storeBytes(of: 0, toByteOffset: EntryLayout.offset, as: UInt64.self)
    }

    // MARK: - Consumer

    /// The end of the published entries.
    var published: UInt64 { gl_load_acquire(headWord) }

    /// The end of the entries that are done.
    var tail: UInt64 {
        get { gl_load_acquire(tailWord) }
        set { gl_store_release(tailWord, newValue) }
    }
}
