// SPDX-License-Identifier: Apache-2.0

/// The character sets that a terminal shows letters with: G0 and G1, each of them letters or the DEC line drawing
/// characters, and which of the two is in use.
///
/// They hold until the guest changes them, over moves of the cursor to other rows. An LF or a kernel's time stamp begins
/// with G0 and letters again, so that a stray sequence does not garble the rest of a log. G1 has line drawing unless the
/// guest changes that, as on Linux's console.
public struct CharacterSets: Hashable, Sendable {
    private static let drawsFirst: UInt8 = 1
    private static let drawsSecond: UInt8 = 2
    private static let usesSecond: UInt8 = 4

    private var flags = drawsSecond
    /// The flags that were set or cleared.
    private var changed: UInt8 = 0

    /// Those at the beginning of a line.
    public init() {}

    /// Those of a line that begins within a drawing.
    static let drawing: CharacterSets = {
        var sets = CharacterSets()
        sets.set(drawsFirst, true)
        return sets
    }()

    /// Whether no sequence has changed what they are at the beginning of a line.
    var isInitial: Bool { flags == Self.drawsSecond }

    /// Whether letters are shown as line drawing characters.
    var drawsLines: Bool {
        flags & (flags & Self.usesSecond == 0 ? Self.drawsFirst : Self.drawsSecond) != 0
    }

    /// These changes after those of `earlier` text.
    public func applied(to earlier: CharacterSets) -> CharacterSets {
        var sets = self
        sets.flags = earlier.flags & ~changed | flags & changed
        sets.changed = earlier.changed | changed
        return sets
    }

    mutating func follow(_ effect: ControlSequence.Effect) {
        switch effect {
        case .characterSet(let isSecond, let draws):
            set(isSecond ? Self.drawsSecond : Self.drawsFirst, draws)
        case .resetsTerminal:
            self = CharacterSets()
            changed = .max
        default: break
        }
    }

    /// Follows SO, which selects G1, or SI; other bytes change nothing.
    mutating func shift(_ byte: UInt8) {
        if byte == Byte.shiftOut || byte == Byte.shiftIn {
            set(Self.usesSecond, byte == Byte.shiftOut)
        }
    }

    private mutating func set(_ flag: UInt8, _ isSet: Bool) {
        flags = isSet ? flags | flag : flags & ~flag
        changed |= flag
    }
}

/// The DEC special graphics set (VT100), which replaces lower-case letters.
enum LineDrawing {
    private static let characters = Array("◆▒␉␌␍␊°±␤␋┘┐┌└┼⎺⎻─⎼⎽├┤┴┬│≤≥π≠£·".unicodeScalars)
    private static let bar = UInt8(ascii: "q")

    static func character(for byte: UInt8) -> String? {
        (0x60...0x7e).contains(byte) ? String(Character(characters[Int(byte) - 0x60])) : nil
    }

    /// Whether the line with the bytes `content` begins within a drawing: it ends the drawing after frames only, and
    /// either draws again or has a horizontal bar in the frames.
    static func precedes(_ content: UnsafeRawBufferPointer) -> Bool {
        var offset = 0
        var previous: UInt8 = 0
        var hasFrame = false
        var hasBar = false
        while offset < content.count {
            let byte = content[offset]
            switch byte {
            case Byte.escape:
                guard case .sequence(let sequence) = ControlSequence.parse(content, at: offset) else {
                    return false
                }
                offset = sequence.end
                if case .characterSet(isSecond: false, let draws) = sequence.effect {
                    return !draws && hasFrame && (hasBar || begins(in: content, from: offset))
                }
                continue
            case UInt8(ascii: "j")...UInt8(ascii: "n"), bar, UInt8(ascii: "t")...UInt8(ascii: "x"):
                hasFrame = true
                hasBar = hasBar || byte == bar && previous != 0
                previous = byte
            case UInt8(ascii: " "), Byte.carriageReturn:
                previous = 0
            default:
                return false
            }
            offset += 1
        }
        return false
    }

    private static func begins(in content: UnsafeRawBufferPointer, from start: Int) -> Bool {
        content[start...].indices.contains { content[$0...].starts(with: "\u{1b}(0".utf8) }
    }
}
