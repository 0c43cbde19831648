// SPDX-License-Identifier: Apache-2.0

import CLinux

/// A read in progress is noted in the ring's header before it begins. If the process dies between the kernel's answer
/// and the publishing of the entry, the next process determines whether the bytes were taken, so that they are not
/// lost.
///
/// The evidence is a random mark at the position of the first byte, known to this process only. If it is gone, all
/// requested bytes are there, because no more were requested than were available.
extension InflightRing {
    /// The layout of the note; it has a cache line of its own, and the next.
    private enum Layout {
        static let isNoted = HeaderLayout.read
        static let position = HeaderLayout.read + 8
        static let padding = HeaderLayout.read + 16
        static let count = HeaderLayout.read + 24
        static let slot = HeaderLayout.read + 32
        static let time = HeaderLayout.read + 40
        static let flags = HeaderLayout.read + 48
        static let mark = HeaderLayout.read + 64
    }

    /// Size of a mark, in bytes. A shorter read has a shorter mark: a single byte equals its mark in one of 256 cases,
    /// and is lost then.
    private static let markSize = 16

    private static let processMark: (UInt64, UInt64) = (.random(in: 1...UInt64.max), .random(in: 1...UInt64.max))

    private var isNoted: UnsafeMutablePointer<UInt64> { headerWord(Layout.isNoted) }

    /// Notes that `count` bytes, at least one, are to be read into the space reserved last. Producer.
    func beginRead(_ count: Int, slot: Int, time: Int64, flags: UInt16) {
        let mark = Self.processMark
        withUnsafeBytes(of: mark) { mark in
            let part = UnsafeRawBufferPointer(rebasing: mark.prefix(count))
            payload(at: head &+ pendingPadding).copyMemory(from: part.baseAddress!, byteCount: part.count)
        }
        headerWord(Layout.mark).pointee = mark.0
        headerWord(Layout.mark + 8).pointee = mark.1
        headerWord(Layout.position).pointee = head
        headerWord(Layout.padding).pointee = pendingPadding
        headerWord(Layout.count).pointee = UInt64(count)
        headerWord(Layout.slot).pointee = UInt64(slot)
        headerWord(Layout.time).pointee = UInt64(bitPattern: time)
        headerWord(Layout.flags).pointee = UInt64(flags)
        gl_store_release(isNoted, 1)
    }

    /// The read returned nothing, or its bytes were published. Producer.
    func endRead() {
        gl_store_release(isNoted, 0)
    }

    /// Publishes what an ended process had read and not published.
    func finishRead() {
        guard gl_load_acquire(isNoted) == 1 else {
            return
        }
        defer { endRead() }
        let count = Int(clamping: headerWord(Layout.count).pointee)
        let padding = headerWord(Layout.padding).pointee
        let number = Int(clamping: headerWord(Layout.slot).pointee)
        // The note may be damaged: nothing outside the ring is read, nothing unread is overwritten.
        guard headerWord(Layout.position).pointee == head, (1...Self.maximumPayload).contains(count),
            number < slotsUsed, hasSpace(for: count, after: padding)
        else {
            return
        }
        let mark = UnsafeRawBufferPointer(start: headerWord(Layout.mark), count: min(count, Self.markSize))
        let read = UnsafeRawBufferPointer(start: payload(at: head &+ padding), count: mark.count)
        guard !mark.elementsEqual(read) else {
            return
        }
        pendingPadding = padding
        addHeld(number, count)
        let time = Int64(bitPattern: headerWord(Layout.time).pointee)
        let flags = UInt16(truncatingIfNeeded: headerWord(Layout.flags).pointee)
        publish(count, kind: .data, slot: number, time: time, flags: flags)
    }
}
