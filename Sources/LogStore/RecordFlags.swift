// SPDX-License-Identifier: Apache-2.0

import LogModel

/// Properties of a record.
public struct RecordFlags: OptionSet, Hashable, Sendable {
    /// The bits as stored; the upper four hold the number of detail units and are not part of this value.
    public let rawValue: UInt16

    public init(rawValue: UInt16) {
        self.rawValue = rawValue
    }

    /// The record's first byte continues a line of an earlier record.
    public static let startsMidLine = RecordFlags(rawValue: 1 << 0)
    /// A marker: bytes were lost here (`GapDetail`).
    public static let gap = RecordFlags(rawValue: 1 << 1)
    /// A marker: a boot begins (`BootDetail`).
    static let boot = RecordFlags(rawValue: 1 << 2)
    /// A marker: the boot ended (`BootDetail`).
    static let bootEnd = RecordFlags(rawValue: 1 << 3)
    /// The bytes were found after the last index record after a crash; their time is the file's.
    public static let recovered = RecordFlags(rawValue: 1 << 4)
    /// The host's clock stepped back by more than a second before this record.
    static let clockStepped = RecordFlags(rawValue: 1 << 5)
    /// The source had been read up to a position (`RecordDetail.source`) when this was written.
    static let checkpoint = RecordFlags(rawValue: 1 << 6)

    /// A marker: what follows comes from another source (`RecordDetail.origin`).
    static let origin = RecordFlags(rawValue: 1 << 7)

    /// Flags of markers only.
    public static let markers: RecordFlags = [.gap, .boot, .bootEnd, .origin]
}
