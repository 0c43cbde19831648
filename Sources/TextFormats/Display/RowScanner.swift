// SPDX-License-Identifier: Apache-2.0

/// Follows the cursor through the bytes of one displayed line, to find where the line ends.
///
/// A line ends at LF; before a kernel time stamp that stands behind other text; and where, after something visible was
/// painted, the cursor leaves the row and something visible is painted elsewhere. It does not end there if little is
/// painted elsewhere and the cursor, which was saved in the row, is restored: a clock in a corner while a user types.
/// The bytes may be added to between two scans: the result does not depend on where they were divided.
struct RowScanner: Sendable {
    /// The offset up to which the bytes were scanned.
    private var offset = 0
    private var cursor = CursorRow()
    /// Where the cursor left the row; the line ends there if anything visible follows and the cursor does not return.
    private var departure: Int?
    private var sets = CharacterSets()
    /// The changes of the character sets up to `departure`.
    private var departureSets = CharacterSets()
    /// Whether something visible was painted since, and the line ends at `departure` unless the cursor returns.
    private var hasPaintedElsewhere = false
    /// The cursor has returned over something visible: what is painted next overwrites it.
    private var isReturned = false
    /// The offset of the first byte that was painted after the last return over text; 0 when there is none.
    private(set) var repaint = 0
    /// Where the text ends that is painted over from `repaint` on: erasures and moves follow before `repaint`.
    private(set) var repaintedEnd = 0
    /// The same, as long as nothing has been painted over it.
    private var textEnd: Int?

    /// The bytes that may be painted elsewhere before the cursor returns: a status line.
    private static let longestAbsence = 256

    /// A scanner at the beginning of a row, or behind visible text in one.
    init(followsText: Bool = false) {
        if followsText {
            cursor.paint()
        }
    }

    /// Where the line ends if nothing follows: the cursor has not returned from another row.
    var openDeparture: Int? { hasPaintedElsewhere ? departure : nil }

    /// The changes of the character sets up to `end`, if the line ends there because of a row move; otherwise nil: the next
    /// row begins with letters.
    func carriedSets(to end: Int) -> CharacterSets? { end == departure ? departureSets : nil }

    /// The offset after the line's last byte; nil when the line may continue after `bytes`, which begin at its first byte
    /// and may have more than one line.
    mutating func end(in bytes: UnsafeRawBufferPointer) -> Int? {
        while offset < bytes.count {
            switch bytes[offset] {
            case Byte.feed:
                return openDeparture ?? offset + 1
            case Byte.escape:
                switch ControlSequence.parse(bytes, at: offset) {
                case .sequence(let sequence):
                    stepOver(sequence)
                    continue
                case .incomplete:
                    return nil
                case .malformed:
                    break
                }
            case Byte.carriageReturn:
                offset += 1
                returnToStart(offset)
                continue
            case Byte.verticalTab, Byte.formFeed:
                follow(.leavesRow(isToAbove: false))
                offset += 1
                continue
            case UInt8(ascii: "["), UInt8(ascii: "<"):
                switch stamp(in: bytes) {
                case .incomplete:
                    return nil
                case .stamp(let end):
                    if cursor.hasText {
                        return departure ?? offset
                    }
                    cursor.paint()
                    offset = end
                    continue
                case .none:
                    break
                }
            case Byte.tab, UInt8(ascii: " "), Byte.backspace, Byte.delete:
                offset += 1
                continue
            case let byte where Byte.isIgnored(byte):
                sets.shift(byte)
                offset += 1
                continue
            default:
                break
            }
            var stop = bytes.count
            if let departure {
                guard cursor.mayReturn, offset - departure < Self.longestAbsence else {
                    return departure
                }
                hasPaintedElsewhere = true
                stop = min(stop, departure + Self.longestAbsence)
            } else {
                if isReturned {
                    (isReturned, repaint, repaintedEnd) = (false, offset, textEnd ?? offset)
                }
                textEnd = nil
            }
            cursor.paint()
            offset = Self.endOfText(in: bytes, from: offset + 1, to: stop)
        }
        return nil
    }

    private mutating func stepOver(_ sequence: ControlSequence) {
        switch sequence.effect {
        case .edit(.eraseAll), .edit(.eraseToStart): noteTextEnd(offset)
        case .column(.absolute(1)): returnToStart(offset)
        default: follow(sequence.effect)
        }
        offset = sequence.end
    }

    /// The cursor returns to the row's first column; `offset` is where the text before that ends.
    private mutating func returnToStart(_ offset: Int) {
        isReturned = isReturned || cursor.hasText && !cursor.isAway
        noteTextEnd(offset)
    }

    /// The text that is visible in the row ends before `offset`, unless more is painted behind it.
    private mutating func noteTextEnd(_ offset: Int) {
        if cursor.hasText, !cursor.isAway {
            textEnd = textEnd ?? offset
        }
    }

    /// The end of a run of bytes of visible characters and blanks.
    private static func endOfText(in bytes: UnsafeRawBufferPointer, from start: Int, to stop: Int) -> Int {
        var offset = start
        while offset < stop {
            switch bytes[offset] {
            case 0..<0x20, UInt8(ascii: "["), UInt8(ascii: "<"), Byte.delete: return offset
            default: offset += 1
            }
        }
        return offset
    }

    /// A stamp at the present offset, unless a logger's prefix precedes it.
    private func stamp(in bytes: UnsafeRawBufferPointer) -> KernelStamp.Match {
        let match = KernelStamp.match(bytes, at: offset)
        guard match != .none, cursor.hasText, departure == nil else {
            return match
        }
        return LoggerPrefix(UnsafeRawBufferPointer(rebasing: bytes[..<offset])) == nil ? match : .none
    }

    private mutating func follow(_ effect: ControlSequence.Effect) {
        cursor.follow(effect)
        if !cursor.isAway {
            departure = nil
        } else if departure == nil {
            (departure, departureSets) = (offset, sets)
        }
        sets.follow(effect)
        hasPaintedElsewhere = hasPaintedElsewhere && cursor.isAway
    }
}
