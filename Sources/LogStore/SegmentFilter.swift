// SPDX-License-Identifier: Apache-2.0

import CBytes
import LogModel
import SystemIO

/// Which sequences of three bytes occur in a segment: one that lacks a sequence of a text cannot contain the text, and
/// need not be decoded to search for it.
///
/// It has a bit for each value of a hash, so that it may say "perhaps" wrongly, but never "no". Letters are in lower case.
/// Colours (`ESC [ ... m`) are left out, as displayed lines leave them out; a segment with other control bytes, or
/// that ends within a line, has no filter.
struct SegmentFilter: Equatable {
    static let tag = UInt32(littleEndianBytes: "GLF1")
    /// The size of the bits, in bytes.
    static let size = Int(GL_TRIGRAM_COUNT) / 8
    /// The size of its frame.
    static let frameSize = SkippableFrame.headerSize + 8 + 8 + size
    /// By default a segment has one from this size on, in bytes: then it adds less than four per cent.
    static let smallestSegment = 256 << 10

    private let bits: [UInt8]
    /// Whether `:[` occurs: in records in JSON, a value may be an array of bytes.
    let hasArrays: Bool

    fileprivate init(bits: [UInt8], hasArrays: Bool) {
        self.bits = bits
        self.hasArrays = hasArrays
    }

    /// Appends its frame.
    func append(to out: inout [UInt8]) {
        SkippableFrame.append(tag: Self.tag, to: &out) { body in
            body.append(littleEndian: UInt32(hasArrays ? 1 : 0))
            body.append(littleEndian: UInt32(0))
            body.append(contentsOf: bits)
        }
    }

    /// The filter in a frame; nil when the frame is another one, or damaged.
    init?(frame: some Collection<UInt8>) {
        let filter = Array(frame).withUnsafeBytes { frame -> SegmentFilter? in
            guard frame.count == Self.frameSize, frame.littleEndian(at: 0) as UInt32 == SkippableFrame.magic,
                frame.littleEndian(at: 4) as UInt32 == UInt32(Self.frameSize - SkippableFrame.headerSize),
                let body = SkippableFrame.body(
                    of: UnsafeRawBufferPointer(rebasing: frame[SkippableFrame.headerSize...]),
                    tag: Self.tag
                )
            else {
                return nil
            }
            return SegmentFilter(bits: Array(body[8...]), hasArrays: body.littleEndian(at: 0) & UInt32(1) != 0)
        }
        guard let filter else {
            return nil
        }
        self = filter
    }

    /// Whether `word` may occur.
    func mayContain(_ word: SearchWord) -> Bool {
        word.hashes.allSatisfy { bits[$0 / 8] >> UInt8($0 % 8) & 1 != 0 }
    }
}

/// A text that is searched for, by its sequences of three bytes.
public struct SearchWord: Sendable {
    fileprivate let hashes: [Int]

    /// nil when `text` is shorter than three bytes. Upper and lower case are not told apart.
    public init?(_ text: [UInt8]) {
        guard text.count >= 3 else {
            return nil
        }
        let lower = text.map { UInt32($0.lowercased) }
        hashes = lower.indices.dropLast(2).map {
            Int(gl_trigram_hash(lower[$0] | lower[$0 + 1] << 8 | lower[$0 + 2] << 16))
        }
    }
}

/// Makes the filter of a segment, or of a part of it, from the text of its blocks in order.
final class SegmentFilterBuilder {
    private var bits = [UInt8](repeating: 0, count: SegmentFilter.size)
    private var hasArrays = false
    /// The first two bytes, in lower case.
    private var first: [UInt8] = []
    /// The last two bytes, in lower case, the earlier one lowest.
    private var last: UInt32 = 0
    private var endsLine = true
    /// Whether the text has control bytes other than colours.
    private var hasControls = false
    private let memory: FilterMemory?

    /// One of the builders of growing segments that `memory` allows; nil when there are too many.
    init?(_ memory: FilterMemory) {
        guard memory.take() else {
            return nil
        }
        self.memory = memory
    }

    /// One that is needed for a moment.
    init() {
        memory = nil
    }

    /// One of a segment at `path` that grew in another process, or with too many others; nil when it cannot be read.
    static func reading(
        _ path: String,
        _ headers: [BlockHeader],
        on fileSystem: any FileSystem,
        _ memory: BlockMemory
    ) -> SegmentFilterBuilder? {
        guard let file = try? SegmentFile(path: path, fileSystem: fileSystem) else {
            return nil
        }
        let builder = SegmentFilterBuilder()
        for header in headers {
            guard let block = try? file.block(header, memory) else {
                return nil
            }
            builder.add(block.text)
        }
        return builder
    }

    deinit {
        memory?.give()
    }

    /// The filter of the text so far; nil when it would be of no use.
    var filter: SegmentFilter? {
        hasControls || !endsLine ? nil : SegmentFilter(bits: bits, hasArrays: hasArrays)
    }

    /// Adds the text of the next block.
    func add(_ text: UnsafeRawBufferPointer) {
        guard !hasControls, let base = text.baseAddress, let end = text.last else {
            return
        }
        var map = [UInt8](repeating: 0, count: Int(GL_TRIGRAM_COUNT))
        var offset = 0
        while offset < text.count {
            let count = gl_first_control(base + offset, text.count - offset)
            join(UnsafeRawBufferPointer(start: base + offset, count: count), &map)
            hasArrays = hasArrays || gl_memmem(base + offset, count, ":[", 2) != nil
            offset += count
            if offset < text.count {
                guard let next = Self.endOfColour(text, at: offset) else {
                    hasControls = true
                    return
                }
                offset = next
            }
        }
        gl_add_bits(map, &bits)
        endsLine = end == Lines.feed
    }

    /// Adds the part that `other` was made from.
    func add(_ other: SegmentFilterBuilder) {
        guard !hasControls, !other.hasControls else {
            hasControls = true
            return
        }
        guard !other.first.isEmpty else {
            return
        }
        var map = [UInt8](repeating: 0, count: Int(GL_TRIGRAM_COUNT))
        other.first.withUnsafeBytes { join($0, &map) }
        gl_add_bits(map, &bits)
        for index in bits.indices {
            bits[index] |= other.bits[index]
        }
        if other.first.count == 2 {
            last = other.last
        }
        hasArrays = hasArrays || other.hasArrays
        endsLine = other.endsLine
    }

    /// Adds the sequences of `text`, and those that begin before it.
    private func join(_ text: UnsafeRawBufferPointer, _ map: inout [UInt8]) {
        var text = text
        hasArrays = hasArrays || last >> 8 == UInt32(UInt8(ascii: ":")) && text.first == UInt8(ascii: "[")
        while first.count < 2, let byte = text.first {
            let lower = byte.lowercased
            first.append(lower)
            last = last >> 8 | UInt32(lower) << 8
            text = UnsafeRawBufferPointer(rebasing: text.dropFirst())
        }
        if let base = text.baseAddress, !text.isEmpty {
            last = gl_map_trigrams(last, base, text.count, &map)
        }
    }

    /// Longer sequences may be shown as text.
    private static let longestColour = 32

    /// The end of the sequence at `start` if it sets colours (ECMA-48, SGR) and is not longer than those of programs.
    private static func endOfColour(_ text: UnsafeRawBufferPointer, at start: Int) -> Int? {
        guard start + 2 < text.count, text[start] == 0x1b, text[start + 1] == UInt8(ascii: "[") else {
            return nil
        }
        // Parameters are digits, colons and semicolons.
        let parameters = text[(start + 2)...].prefix(longestColour)
        let end = parameters.firstIndex { !(UInt8(ascii: "0")...UInt8(ascii: ";")).contains($0) }
        return end.flatMap { text[$0] == UInt8(ascii: "m") ? $0 + 1 : nil }
    }
}

/// Limits the memory of the filters of growing segments. Used by one thread, and outlives its builders.
final class FilterMemory {
    /// 8 MiB. The filters of further segments are made from their blocks when they are closed.
    private var left = 1024

    fileprivate func take() -> Bool {
        guard left > 0 else {
            return false
        }
        left -= 1
        return true
    }

    fileprivate func give() {
        left += 1
    }
}

extension UInt8 {
    /// The letter in lower case, of ASCII; another byte itself.
    fileprivate var lowercased: UInt8 {
        self &- UInt8(ascii: "A") < 26 ? self | 0x20 : self
    }
}
