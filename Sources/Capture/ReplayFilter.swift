// SPDX-License-Identifier: Apache-2.0

import CBytes

/// Recognizes output that is stored already at the beginning of a new connection to the same machine: a VMM may replay
/// its last output to each client.
///
/// A replay begins with text from the end of what is stored, up to its last byte, and goes on with what is missing. It is
/// recognized if that text is long enough, and is found once only: a guest that repeats a line is not a replay.
/// Text that is not decided yet is not copied: what was given so far is in the stored text, and is taken from there when it turns out to be new.
struct ReplayFilter {
    /// The end of the stored text.
    private let stored: [UInt8]
    /// Where in `stored` the given text may begin; nil before the first byte.
    private var offsets: [Int]?
    /// The number of bytes given.
    private var count = 0

    /// Bytes of stored text that are compared: the size of the longest replay known, Cloud Hypervisor's.
    static let window = 1 << 20
    /// A replay repeats at least this many bytes.
    static let minimumOverlap = 64
    /// With more places to compare the text repeats itself.
    private static let mostOffsets = 4096

    enum Verdict: Equatable {
        /// It can still be both.
        case undecided
        /// A replay: that many bytes of the last text were stored already, and the rest is new.
        case replay(Int)
        /// No replay: all that was given is new.
        case new
    }

    /// A filter that knows the last bytes of the stored text.
    init(stored: [UInt8]) {
        self.stored = stored
    }

    /// The text given before the last one that was not decided: new, after a verdict of `new` or without any.
    var given: ArraySlice<UInt8> {
        offsets?.first.map { stored[$0..<$0 + count] } ?? []
    }

    /// Compares the next text.
    mutating func compare(_ text: UnsafeRawBufferPointer) -> Verdict {
        guard !text.isEmpty else {
            return .undecided
        }
        guard let before = offsets ?? firstOffsets(of: text), before.count <= Self.mostOffsets else {
            return .new
        }
        let remaining = before.filter { continues(text, at: $0) }
        guard let first = remaining.first else {
            return .new
        }
        let last = remaining[remaining.count - 1]
        if stored.count - last - count <= text.count {
            return remaining.count == 1 ? .replay(stored.count - first - count) : .new
        }
        offsets = remaining
        count += text.count
        return .undecided
    }

    /// Whether `text`, up to the end of the stored text, follows what was given, if that began at `offset`.
    private func continues(_ text: UnsafeRawBufferPointer, at offset: Int) -> Bool {
        let start = offset + count
        return stored[start...].prefix(text.count).elementsEqual(text.prefix(stored.count - start))
    }

    /// Where the beginning of `text` is found, as far as enough follows it there; nil when there are too many.
    private func firstOffsets(of text: UnsafeRawBufferPointer) -> [Int]? {
        let key = text.prefix(Self.minimumOverlap)
        var offsets: [Int] = []
        stored.withUnsafeBytes { stored in
            var start = 0
            while stored.count - start >= Self.minimumOverlap, offsets.count <= Self.mostOffsets,
                let found = gl_memmem(stored.baseAddress! + start, stored.count - start, key.base, key.count)
            {
                let offset = found - UnsafeRawPointer(stored.baseAddress!)
                if stored.count - offset >= Self.minimumOverlap {
                    offsets.append(offset)
                }
                start = offset + 1
            }
        }
        return offsets.count <= Self.mostOffsets ? offsets : nil
    }
}

extension Slice<UnsafeRawBufferPointer> {
    /// The address of its first byte.
    fileprivate var base: UnsafeRawPointer? { UnsafeRawBufferPointer(rebasing: self).baseAddress }
}
