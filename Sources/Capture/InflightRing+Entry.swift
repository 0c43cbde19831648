// SPDX-License-Identifier: Apache-2.0

import CLinux
import LogModel

// What the ring contains.
extension InflightRing {
    /// An entry, as the consumer sees it.
    struct Entry {
        let base: UnsafeMutableRawPointer
        let end: UInt64

        var kind: Kind { Kind(rawValue: base.load(fromByteOffset: EntryLayout.kind, as: UInt8.self)) ?? .padding }
        /// Whether it belongs to a stream's contents: bytes or a marker.
        var isContent: Bool { [.data, .gap, .boot].contains(kind) }
        var slot: Int { Int(base.load(fromByteOffset: EntryLayout.slot, as: UInt32.self)) }
        /// When it was received, in microseconds since the Unix epoch. Two times have a difference, also in a ring that an
        /// ended process left damaged.
        var time: Int64 {
            let limit: Int64 = 1 << 61
            return min(max(-limit, base.load(fromByteOffset: EntryLayout.time, as: Int64.self)), limit)
        }
        var isPlainOnly: Bool { flags & InflightRing.plainOnly != 0 }
        /// Whether the bytes are in the plain file, if there is one; stored here so that a new process does not write
        /// them again.
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

        /// The stream offset of the first byte; valid in state `assigned` only.
        var offset: UInt64 {
            get { base.load(fromByteOffset: EntryLayout.offset, as: UInt64.self) }
            nonmutating set { base.storeBytes(of: newValue, toByteOffset: EntryLayout.offset, as: UInt64.self) }
        }
    }

    /// Losses that are not yet written as a marker.
    struct Loss {
        var bytes: UInt64 = 0
        var lines: UInt64 = 0
        var since: Int64 = 0
        var reason: UInt64 = 0

        var isOpen: Bool { reason != 0 }

        /// The time of an absence that began at an unknown time.
        static let unknownSince: Int64 = 0
    }

    /// The entry at `position`, or nil when none is published there.
    ///
    /// The ring of an ended process may be damaged: nothing outside it is read, and a walk over the entries ends.
    func entry(at position: UInt64) -> Entry? {
        let rest = gl_load_acquire(headWord) &- position
        guard rest > 0, rest <= UInt64(capacity), position % UInt64(Self.alignment) == 0 else {
            return nil
        }
        let base = data + offset(of: position)
        let length = Int(base.load(as: UInt32.self))
        let isPadding = base.load(fromByteOffset: EntryLayout.kind, as: UInt8.self) == Kind.padding.rawValue
        let size = isPadding ? Self.entryHeader + length : Self.aligned(Self.entryHeader + length)
        guard offset(of: position) + size <= capacity, UInt64(size) <= rest, isPadding || length <= Self.maximumPayload
        else {
            return nil
        }
        return Entry(base: base, end: position &+ UInt64(size))
    }

    /// Whether it has an entry that is neither committed nor counted as lost.
    var hasUncommitted: Bool {
        walk().hasUncommitted
    }

    /// Whether entries cannot be reached, because one before them is damaged.
    var isDamaged: Bool { walk().end != gl_load_acquire(headWord) }

    /// Looks at all entries, up to the end or to one that is damaged.
    private func walk() -> (hasUncommitted: Bool, end: UInt64) {
        var position = tail
        var hasUncommitted = false
        while let entry = entry(at: position) {
            hasUncommitted = hasUncommitted || entry.isContent && entry.state != .done
            position = entry.end
        }
        return (hasUncommitted, position)
    }
}
