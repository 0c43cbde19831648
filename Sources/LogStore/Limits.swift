// SPDX-License-Identifier: Apache-2.0

import LogModel
import SystemIO

/// The store's fixed limits, with their reasons.
public enum StoreLimits {
    /// The format version that this code writes. Newer ones are read as far as possible, and never written.
    static let formatVersion = 1
    /// Text per block. zstd's ratio on logs levels off about here (measured: 64 KiB 3.9, 256 KiB 7.5 on boot logs), and
    /// a block is decoded in about 150 µs.
    public static let blockTarget = 256 << 10
    /// A block is cut in mid-line at this size, when no line ended since `blockTarget`.
    public static let blockLimit = 320 << 10
    /// Text in a pair of a stream that fills it within a second: large enough that creating and removing the files costs
    /// little beside their bytes (measured on ext4: 2.3 s of CPU per GB in files of 256 KiB, 0.2 in files of 2 MiB).
    static let pairTarget = 4 << 20
    /// Maximum text in a pair. Its last block may end beyond `pairTarget`.
    static let pairLimit = pairTarget + blockLimit
    /// A pair of more than one block is sealed after this many microseconds without a byte.
    public static let largePairSealAfter: Int64 = 5_000_000
    /// Index records per pair: limits the index of a stream that arrives byte by byte, or of a flood of markers.
    public static let recordsPerPair = 8192
    /// Maximum number of index records of one pair, and so of one block. Markers alone cannot end a pair, because the
    /// next would begin at the same position: beyond this number at one position further markers are dropped.
    static let recordsLimit = 2 * recordsPerPair
    /// Blocks per segment: 16 MiB of text is the unit of retention.
    public static let blocksPerSegment = 64
    /// Maximum number of lines in one index record; a batch with more is split.
    public static let linesPerRecord = Int(UInt16.max)
    /// Maximum number of bytes between two source positions of a replayable stream: that of its longest record.
    public static let sourceDistance = 4 << 20
    /// A clock that steps back by more microseconds than this closes the block; less counts as jitter.
    static let clockTolerance: Int64 = 1_000_000
    /// The times at which this program can be running: 2023 to 2072. Outside of them the clock is wrong, as it is on a
    /// host without a battery until it has asked the network.
    static let plausibleTimes =
        Timestamp(seconds: 1_672_531_200)...Timestamp(seconds: 1_672_531_200 + 50 * 365 * 86_400)
    /// A stamp that is more microseconds in the future was made while the clock was wrong.
    static let futureTolerance: Int64 = 86_400 * 1_000_000
    /// The minimum disk usage of a file: one block of the file system.
    static let fileCost = 4096
    /// More bytes than a file of the store usually has: a segment has 20 MiB of text, compressed. A longer file may be
    /// sparse, as a crash of the host or a mistake leaves it: only what is allocated counts as used, and so many bytes
    /// after a segment's last block no further one is searched for.
    static let usualFileSize = 64 << 20
    /// A stream continues at the next multiple of this after an unclean end of the host, so that no position that a
    /// reader may have saved is assigned to other bytes.
    static let restartStride: UInt64 = 1 << 32
    /// Multiples of `restartStride` are below this number of it.
    static let strideLimit = StreamLayout.positionLimit / restartStride
    /// The first position since the last jump before `position`.
    static func lastJump(before position: UInt64) -> UInt64 {
        position == 0 ? 0 : (position - 1) / restartStride * restartStride
    }

    /// Bytes of the file system that are left free, or a twentieth of it where that is less.
    static let keptFree = 1 << 30
    /// Number of boot heads kept of each stream whose segments were removed.
    static let headsKept = 8
    /// Bytes of text in a boot head.
    static let headLength = 256 << 10
    /// Idle active pairs are sealed from this size up.
    public static let idleSealMinimum = 16 << 10
    /// Microseconds without a byte after which an active pair is sealed.
    public static let idleSealAfter: Int64 = 3600 * 1_000_000
    /// Maximum size of a stream's `quarantine` folder, in bytes; older files are removed first.
    static let quarantineLimit = 1 << 20
}

extension FileAttributes {
    /// What a file of the store counts as, in bytes.
    var diskUsage: Int {
        max(StoreLimits.fileCost, size > StoreLimits.usualFileSize ? min(size, allocated) : size)
    }
}
