/// The store's fixed numbers, each with its reason.
public enum StoreLimits {
    /// The version of the format that this code writes; a newer one it reads as far as it can, and never writes.
    public static let formatVersion = 1
    /// Text per block. zstd's ratio on logs stops growing about here (measured: 64 KiB 3.9, 256 KiB 7.5 on boot logs),
    /// and one block is decoded in about 150 µs.
    public static let blockTarget = 256 << 10
    /// A block is cut in mid-line here, when no line ended since `blockTarget`.
    public static let blockLimit = 320 << 10
    /// Index records per block: bounds the index of a stream that trickles byte by byte, or of a flood of markers.
    public static let recordsPerBlock = 8192
    /// Index records that one block can have at most. Markers alone cannot end a block, for the next would begin at the
    /// same position: beyond this many at one position, without a byte between them, nothing more is told.
    public static let recordsLimit = 2 * recordsPerBlock
    /// Blocks per segment: 16 MiB of text is the unit of retention.
    public static let blocksPerSegment = 64
    /// Lines that one index record can count; a batch with more is cut in two.
    public static let linesPerRecord = Int(UInt16.max)
    /// A clock that steps back by more microseconds than this closes the block; less is taken for jitter.
    public static let clockTolerance: Int64 = 1_000_000
    /// What a file costs at least on disk, however short: one block of the file system.
    public static let fileCost = 4096
    /// A stream continues at the next multiple of this after the host went down uncleanly, so that no position that a
    /// reader may have saved is ever given to other bytes.
    public static let restartStride: UInt64 = 1 << 32
    /// The first position that can have been used before `position`, since the last jump.
    static func lastJump(before position: UInt64) -> UInt64 {
        position == 0 ? 0 : (position - 1) / restartStride * restartStride
    }

    /// Bytes of the file system that are left free, or a twentieth of it where that is less.
    public static let keptFree = 1 << 30
    /// Boot heads kept of each stream when the segments around them go, and how much of each.
    public static let headsKept = 8
    /// Bytes of text kept of a boot whose segment goes.
    public static let headLength = 256 << 10
    /// An idle active pair is sealed from this size up.
    public static let idleSealMinimum = 16 << 10
    /// Microseconds without a byte after which an active pair is sealed.
    public static let idleSealAfter: Int64 = 3600 * 1_000_000
    /// Bytes kept in a stream's `quarantine` folder; older ones go first.
    public static let quarantineLimit = 1 << 20
}
