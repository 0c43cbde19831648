import CLinux
import Glibc
import LogStore
import SystemIO

/// The only queue between a shard and the store: bytes on their way, in a file on tmpfs, so that they outlive the process.
///
/// One producer (a shard) and one consumer (the store's writer), no locks: the producer owns `head`, the consumer
/// `tail`, both grow for ever and are taken modulo the capacity. An entry is a header of 32 bytes and its payload,
/// never bent over the end. Beside the entries lies a table of slots, one per stream: its key, what it holds, and the
/// losses and boundaries not yet written as markers, each word owned by one side.
///
/// No page of the mapping is touched before tmpfs has given it for good (fallocate): a full tmpfs means that there is no
/// room in the ring, never a SIGBUS. Where tmpfs has no room even for the table's first pages, the ring lies in the
/// process's own memory: then it works as ever, but a crash loses what is in it (`isDurable`). The file is empty then, and
/// is removed as any ring's is, once nothing is left to be committed: an empty file tells the next process of a loss.
///
/// The file says which store its bytes belong to. Who owns it is told by the lock of its folder (`InflightFolder`).
public final class InflightRing: @unchecked Sendable {
    // Sendable because each field of the mapping has one owning thread, and head and tail are published with
    // release and read with acquire.

    /// What an entry is.
    enum Kind: UInt8 {
        case padding = 0
        case data = 1
        case gap = 2
        case boot = 3
        /// From here on the slot stands for the stream whose key it holds.
        case open = 4
        /// The stream's source is gone: nothing more comes by this slot.
        case close = 5
    }

    /// How far an entry has come; written by the consumer.
    enum State: UInt8 {
        case fresh = 0
        /// Its place in the stream is decided, the write may have happened.
        case assigned = 1
        /// Committed, or counted as lost.
        case done = 2
    }

    /// Where things are in the file's first page; words of different threads a cache line apart, and the next one.
    enum HeaderLayout {
        static let hostBoot = 64
        static let hostBootSize = 64
        static let head = 128
        static let tail = 256
        static let slotsUsed = 384
        /// When the shard last did anything, in microseconds since the Unix epoch.
        static let lastTurn = 448
        static let read = 512
        /// The store's identity; NULs while it is not known yet.
        static let storeID = 640
        /// The store's path, ended by NUL.
        static let storePath = 1024
        static let storePathSize = 1024
    }

    /// Where things are in a slot, after the length of its key.
    private enum SlotLayout {
        static let bytesIn = 8
        static let bytesOut = 16
        static let shardLoss = 24
        static let writerLoss = 56
        static let shardBoundaries = 88
        static let writerBoundaries = 96
        static let key = 104
    }

    /// Where things are in an entry's header, after the length of its payload.
    private enum EntryLayout {
        static let kind = 4
        static let state = 5
        static let flags = 6
        static let slot = 8
        static let time = 16
        static let offset = 24
    }

    /// An entry, as the consumer sees it.
    struct Entry {
        let base: UnsafeMutableRawPointer
        /// Logical position just after it.
        let end: UInt64

        var kind: Kind { Kind(rawValue: base.load(fromByteOffset: EntryLayout.kind, as: UInt8.self)) ?? .padding }
        /// Whether it is something of a stream's: bytes or a marker.
        var isContent: Bool { [.data, .gap, .boot].contains(kind) }
        var slot: Int { Int(base.load(fromByteOffset: EntryLayout.slot, as: UInt32.self)) }
        /// Receive time, microseconds since the Unix epoch.
        var time: Int64 { base.load(fromByteOffset: EntryLayout.time, as: Int64.self) }
        var isPlainOnly: Bool { flags & InflightRing.plainOnly != 0 }
        /// Whether the plain file, if there is one, has these bytes; kept here so that a new process does not write them
        /// again.
        var isInPlainFile: Bool {
            get { flags & InflightRing.inPlainFile != 0 }
            nonmutating set {
                let value = newValue ? flags | InflightRing.inPlainFile : flags & ~InflightRing.inPlainFile
                base.storeBytes(of: value, toByteOffset: EntryLayout.flags, as: UInt16.self)
            }
        }

        private var flags: UInt16 { base.load(fromByteOffset: EntryLayout.flags, as: UInt16.self) }

        var payload: UnsafeRawBufferPointer {
            UnsafeRawBufferPointer(
                start: base + InflightRing.entryHeader,
                count: Int(base.load(as: UInt32.self))
            )
        }

        var state: State {
            get { State(rawValue: base.load(fromByteOffset: EntryLayout.state, as: UInt8.self)) ?? .fresh }
            nonmutating set { base.storeBytes(of: newValue.rawValue, toByteOffset: EntryLayout.state, as: UInt8.self) }
        }

        /// The stream offset of the first byte; only when assigned.
        var offset: UInt64 {
            get { base.load(fromByteOffset: EntryLayout.offset, as: UInt64.self) }
            nonmutating set { base.storeBytes(of: newValue, toByteOffset: EntryLayout.offset, as: UInt64.self) }
        }
    }

    /// Losses that are not yet a marker.
    struct Loss {
        var bytes: UInt64 = 0
        var lines: UInt64 = 0
        var since: Int64 = 0
        /// A `GapReason`; 0 once the gap is closed.
        var reason: UInt64 = 0

        var isOpen: Bool { reason != 0 }

        /// The time of an absence of which nobody knows when it began.
        static let unknownSince: Int64 = 0
    }

    static let magic: UInt64 = 0x3330_474e_4952_4c47  // "GLRING03"
    static let entryHeader = 32
    static let plainOnly: UInt16 = 1
    static let inPlainFile: UInt16 = 2
    private static let headerSize = 4096
    private static let slotSize = 512
    /// Longest stream key.
    static let maximumKey = slotSize - SlotLayout.key
    /// Streams one shard can have.
    public static let slotCount = 16_384
    /// Most a single read can bring.
    static let maximumPayload = 64 << 10
    /// Below this much room a read is not worth it: the bytes are counted as lost instead.
    static let minimumPayload = 4096
    /// With the ring empty and this part of it passed, writing begins at its start again, which keeps it in cache.
    ///
    /// What is passed over is lost for as long as the consumer has not noticed: no more than half, for it may be stuck.
    private static let rewindPart = 2
    /// Bytes that are asked of tmpfs at once: little, so that a small tmpfs is used to its end.
    private static let backingStep = 256 << 10
    /// Where the entries begin in the file.
    private static let dataStart = headerSize + slotCount * slotSize

    /// The file; nil when the ring lies in memory.
    private let file: Int32?
    private let mapping: UnsafeMutableRawPointer
    private let mappedSize: Int
    private let data: UnsafeMutableRawPointer
    /// Bytes of entries it can hold.
    public let capacity: Int
    /// Where the ring lies.
    public let path: String
    /// Whether what is in it outlives the process.
    public var isDurable: Bool { file != nil }

    // Producer's own.
    private(set) var head: UInt64
    var pendingPadding: UInt64 = 0
    /// Bytes of entries that tmpfs has given memory for.
    private var backed = 0

    /// Makes an empty ring at `path`, where none may be, for the bytes of the store in `store`. Where there is no room for
    /// it, it lies in memory instead.
    public init(path: String, capacity: Int, hostBoot: String, store: String) throws(SystemError) {
        self.path = path
        self.capacity = capacity
        mappedSize = Self.dataStart + capacity
        let flags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW
        let number = try systemCall("open", path) { gl_open(path, flags, 0o600) }
        var isDurable = false
        do throws(SystemError) {
            let size = mappedSize
            try systemCall("truncate", path) { ftruncate(number, size) }
            try Self.back(0..<Self.headerSize, of: number, path)
            try Self.back(Self.dataStart..<(Self.dataStart + min(Self.backingStep, capacity)), of: number, path)
            isDurable = true
        } catch {
            guard error.code == ENOSPC else {
                close(number)
                throw error
            }
            ftruncate(number, 0)
            close(number)
        }
        file = isDurable ? number : nil
        backed = isDurable ? min(Self.backingStep, capacity) : capacity
        mapping = try Self.map(file, mappedSize, path)
        data = mapping + Self.dataStart
        head = 0
        Self.put(hostBoot, at: mapping + HeaderLayout.hostBoot, room: HeaderLayout.hostBootSize)
        Self.put(store, at: mapping + HeaderLayout.storePath, room: HeaderLayout.storePathSize)
        mapping.storeBytes(of: Self.magic, as: UInt64.self)
    }

    /// Opens the ring that a process which has ended left at `path`; nil when nothing in it can be taken up: it is of
    /// another boot of the host, or was never begun.
    init?(existing path: String, hostBoot: String) throws(SystemError) {
        let number = try systemCall("open", path) { gl_open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0) }
        let opened = Descriptor(owning: number)
        var status = stat()
        try systemCall("stat", path) { fstat(number, &status) }
        let size = Int(status.st_size)
        // Read, not mapped: a page that was never given would have to be given for that.
        let header = withUnsafeTemporaryAllocation(byteCount: Self.headerSize, alignment: 8) { buffer in
            let count = pread(number, buffer.baseAddress, buffer.count, 0)
            let isBegun = count == buffer.count && buffer.load(as: UInt64.self) == Self.magic
            return (
                isBegun, Self.text(UnsafeRawBufferPointer(buffer), HeaderLayout.hostBoot, HeaderLayout.hostBootSize)
            )
        }
        guard header.0, header.1 == hostBoot, size > Self.dataStart + Self.maximumPayload else {
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

    private static func put(_ text: String, at place: UnsafeMutableRawPointer, room: Int) {
        let bytes = Array(text.utf8.prefix(room - 1))
        place.copyMemory(from: bytes, byteCount: bytes.count)
        place.storeBytes(of: 0, toByteOffset: bytes.count, as: UInt8.self)
    }

    private static func text(_ bytes: UnsafeRawBufferPointer, _ place: Int, _ room: Int) -> String {
        String(decoding: bytes[place..<(place + room)].prefix { $0 != 0 }, as: UTF8.self)
    }

    private var header: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: mapping, count: Self.headerSize) }

    // MARK: - Whose it is

    /// Says which store the bytes belong to, once that is known.
    func setStore(_ identity: StoreIdentity) {
        Self.put(identity.text, at: mapping + HeaderLayout.storeID, room: StoreIdentity.length + 1)
    }

    /// Whether its bytes belong to the store in the folder `path`, which is `identity`. A process that ended before it
    /// knew the store's identity has left the path alone.
    func belongs(to identity: StoreIdentity, at path: String) -> Bool {
        let known = Self.text(header, HeaderLayout.storeID, StoreIdentity.length)
        return known.isEmpty
            ? Self.text(header, HeaderLayout.storePath, HeaderLayout.storePathSize) == path : known == identity.text
    }

    /// When its shard last did anything, in microseconds since the Unix epoch; 0: never.
    var lastTurn: Int64 {
        get { Int64(bitPattern: gl_load_acquire(headerWord(HeaderLayout.lastTurn))) }
        set { gl_store_release(headerWord(HeaderLayout.lastTurn), UInt64(bitPattern: newValue)) }
    }

    /// Removes the ring's file; the mapping lives on until the last reference goes.
    func removeFile() {
        FileOwner.asProcess { _ = unlink(path) }
    }

    private var headWord: UnsafeMutablePointer<UInt64> { headerWord(HeaderLayout.head) }
    private var tailWord: UnsafeMutablePointer<UInt64> { headerWord(HeaderLayout.tail) }
    private var slotsUsedWord: UnsafeMutablePointer<UInt64> { headerWord(HeaderLayout.slotsUsed) }

    private func place(_ position: UInt64) -> Int { Int(position % UInt64(capacity)) }

    /// The payload of the entry at `position`.
    func payload(at position: UInt64) -> UnsafeMutableRawPointer { data + place(position) + Self.entryHeader }

    /// A word of the file's first page.
    func headerWord(_ offset: Int) -> UnsafeMutablePointer<UInt64> {
        (mapping + offset).assumingMemoryBound(to: UInt64.self)
    }

    private static func aligned(_ size: Int) -> Int { (size + 31) & ~31 }

    /// Bytes of entries published and not yet done; from either side.
    var used: Int { Self.difference(gl_load_acquire(headWord), gl_load_acquire(tailWord)) }

    /// `left` less `right`; 0 when that would be negative, as in a ring that is damaged.
    private static func difference(_ left: UInt64, _ right: UInt64) -> Int {
        left > right ? Int(clamping: left - right) : 0
    }

    // MARK: - Producer

    /// Room for the payload of one entry, to be filled and then published; nil when the ring is too full.
    func reserve() -> UnsafeMutableRawBufferPointer? {
        pendingPadding = 0
        let tail = gl_load_acquire(tailWord)
        let start = place(head)
        let free = capacity - Int(head - tail)
        let toEnd = capacity - start
        let mustWrap = toEnd < Self.entryHeader + Self.maximumPayload
        let mayRewind = head == tail && start >= capacity / Self.rewindPart
        if !mustWrap, !mayRewind, let room = room(at: start, free: free) {
            return room
        }
        // The rest up to the end is passed over: it is too short, or tmpfs has no memory for it.
        guard free > toEnd + Self.entryHeader + Self.minimumPayload, let room = room(at: 0, free: free - toEnd) else {
            return nil
        }
        pendingPadding = UInt64(toEnd)
        return room
    }

    /// Room for a payload behind the header of the entry at `start`, of which `free` bytes are not in use; nil when that
    /// is too little. Behind it there is always memory for the header of one more entry: the padding that passes over the
    /// rest.
    private func room(at start: Int, free: Int) -> UnsafeMutableRawBufferPointer? {
        let wanted = min(Self.entryHeader + Self.maximumPayload, free)
        askForMemory(upTo: start + wanted + Self.entryHeader)
        let given = backed == capacity ? capacity - start : backed - Self.entryHeader - start
        let room = min(wanted, given & ~31) - Self.entryHeader
        guard room >= Self.minimumPayload else {
            return nil
        }
        return UnsafeMutableRawBufferPointer(start: data + start + Self.entryHeader, count: room)
    }

    /// Asks tmpfs for memory for the entries below `end`, as far as it has any.
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
            backed += step
        }
    }

    /// Makes tmpfs give memory for a part of the file.
    private static func back(_ part: Range<Int>, of file: Int32, _ path: String) throws(SystemError) {
        let code = gl_allocate(file, part.lowerBound, part.count)
        guard code == 0 else {
            throw SystemError("fallocate", path, code: code)
        }
    }

    /// Makes the first `count` bytes of the room reserved last an entry that the consumer sees.
    func publish(_ count: Int, kind: Kind, slot: Int, time: Int64, flags: UInt16 = 0) {
        if pendingPadding > 0 {
            writeHeader(at: head, length: Int(pendingPadding) - Self.entryHeader, .padding, 0, 0, 0)
            head += pendingPadding
            pendingPadding = 0
        }
        writeHeader(at: head, length: count, kind, slot, time, flags)
        head += UInt64(Self.aligned(Self.entryHeader + count))
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
        let base = data + place(position)
        base.storeBytes(of: UInt32(length), as: UInt32.self)
        base.storeBytes(of: kind.rawValue, toByteOffset: EntryLayout.kind, as: UInt8.self)
        base.storeBytes(of: State.fresh.rawValue, toByteOffset: EntryLayout.state, as: UInt8.self)
        base.storeBytes(of: flags, toByteOffset: EntryLayout.flags, as: UInt16.self)
        base.storeBytes(of: UInt32(slot), toByteOffset: EntryLayout.slot, as: UInt32.self)
        base.storeBytes(of: time, toByteOffset: EntryLayout.time, as: Int64.self)
        base.storeBytes(of: 0, toByteOffset: EntryLayout.offset, as: UInt64.self)
    }

    // MARK: - Consumer

    /// How far the producer has published.
    var published: UInt64 { gl_load_acquire(headWord) }

    /// Where the consumer stands: everything before is done.
    var tail: UInt64 {
        get { gl_load_acquire(tailWord) }
        set { gl_store_release(tailWord, newValue) }
    }

    /// The entry at `position`, or nil when none has been published there yet.
    func entry(at position: UInt64) -> Entry? {
        guard position < gl_load_acquire(headWord) else {
            return nil
        }
        let base = data + place(position)
        let length = Int(base.load(as: UInt32.self))
        let isPadding = base.load(fromByteOffset: EntryLayout.kind, as: UInt8.self) == Kind.padding.rawValue
        let size = isPadding ? Self.entryHeader + length : Self.aligned(Self.entryHeader + length)
        // What a process that died left may be damaged: nothing beyond the ring is looked at.
        guard place(position) + size <= capacity, position + UInt64(size) <= gl_load_acquire(headWord) else {
            return nil
        }
        return Entry(base: base, end: position + UInt64(size))
    }

    /// Whether an entry is in it that is neither committed nor counted as lost.
    var hasUncommitted: Bool {
        var position = tail
        while let entry = entry(at: position) {
            if entry.isContent, entry.state != .done {
                return true
            }
            position = entry.end
        }
        return false
    }

    // MARK: - Slots

    private func slot(_ number: Int) -> UnsafeMutableRawPointer {
        mapping + Self.headerSize + number * Self.slotSize
    }

    /// The stream a slot stands for; empty when it stands for none.
    func key(of number: Int) -> [UInt8] {
        let length = min(Int(slot(number).load(as: UInt16.self)), Self.maximumKey)
        return Array(UnsafeRawBufferPointer(start: slot(number) + SlotLayout.key, count: length))
    }

    /// Slots below this number have ever stood for a stream.
    var slotsUsed: Int { min(Int(clamping: gl_load_acquire(slotsUsedWord)), Self.slotCount) }

    /// Whether losses or boundaries of the slot's stream are noted that no marker tells of yet.
    func hasUnwrittenMarkers(_ number: Int) -> Bool {
        shardLoss(number).bytes > 0 || writerLoss(number).bytes > 0 || !shardBoundaries(number).isEmpty
            || !writerBoundaries(number).isEmpty
    }

    /// Makes a slot stand for a stream and zeroes its counts. Producer. Fails when tmpfs is full; slots are to be used
    /// from the lowest number on, without leaving one out: all below `slotsUsed` have memory.
    func setKey(_ key: [UInt8], of number: Int) throws(SystemError) {
        precondition(key.count <= Self.maximumKey, "keys are checked where streams are opened")
        if let file {
            let start = Self.headerSize + number * Self.slotSize
            try Self.back(start..<(start + Self.slotSize), of: file, path)
        }
        gl_store_release(slotsUsedWord, max(slotsUsedWord.pointee, UInt64(number) + 1))
        memset(slot(number), 0, Self.slotSize)
        (slot(number) + SlotLayout.key).copyMemory(from: key, byteCount: key.count)
        slot(number).storeBytes(of: UInt16(key.count), as: UInt16.self)
    }

    private func word(_ number: Int, _ offset: Int) -> UnsafeMutablePointer<UInt64> {
        (slot(number) + offset).assumingMemoryBound(to: UInt64.self)
    }

    /// Bytes of the slot's stream that are in the ring.
    func held(_ number: Int) -> Int {
        Self.difference(
            word(number, SlotLayout.bytesIn).pointee,
            gl_load_acquire(word(number, SlotLayout.bytesOut))
        )
    }

    /// Counts bytes in; producer.
    func addHeld(_ number: Int, _ count: Int) {
        word(number, SlotLayout.bytesIn).pointee &+= UInt64(count)
    }

    /// Counts bytes out; consumer.
    func removeHeld(_ number: Int, _ count: Int) {
        gl_store_release(word(number, SlotLayout.bytesOut), word(number, SlotLayout.bytesOut).pointee &+ UInt64(count))
    }

    /// What the shard had to drop; producer's.
    func shardLoss(_ number: Int) -> Loss { loss(number, at: SlotLayout.shardLoss) }
    /// Sets what the shard had to drop; producer.
    func setShardLoss(_ number: Int, _ loss: Loss) { setLoss(number, at: SlotLayout.shardLoss, loss) }
    /// What the writer could not write; consumer's.
    func writerLoss(_ number: Int) -> Loss { loss(number, at: SlotLayout.writerLoss) }
    /// Sets what the writer could not write; consumer.
    func setWriterLoss(_ number: Int, _ loss: Loss) { setLoss(number, at: SlotLayout.writerLoss, loss) }

    /// The boundaries for whose markers the ring had no room; producer's.
    func shardBoundaries(_ number: Int) -> PendingBoundaries {
        PendingBoundaries(word: word(number, SlotLayout.shardBoundaries).pointee)
    }
    /// Sets them; producer.
    func setShardBoundaries(_ number: Int, _ boundaries: PendingBoundaries) {
        word(number, SlotLayout.shardBoundaries).pointee = boundaries.word
    }
    /// The boundaries whose markers could not be stored; consumer's.
    func writerBoundaries(_ number: Int) -> PendingBoundaries {
        PendingBoundaries(word: word(number, SlotLayout.writerBoundaries).pointee)
    }
    /// Sets them; consumer.
    func setWriterBoundaries(_ number: Int, _ boundaries: PendingBoundaries) {
        word(number, SlotLayout.writerBoundaries).pointee = boundaries.word
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
