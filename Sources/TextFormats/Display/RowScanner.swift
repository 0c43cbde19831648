// SPDX-License-Identifier: Apache-2.0

/// Follows the cursor through the bytes of one displayed line, to find where the line ends.
///
/// A line ends at LF; before a kernel time stamp that stands behind other text; and where, after something visible was
/// painted, the cursor leaves the row and something visible is painted elsewhere. The bytes may be added to between
/// two scans: the result does not depend on where they were divided.
struct RowScanner: Sendable {
    /// The place up to which the bytes were scanned.
    private var at = 0
    private var hasVisible = false
    /// The row, when the guest has named it.
    private var row: Int?
    /// Where the cursor left the row; the line ends there if anything visible follows.
    private var departure: Int?
    /// The departure at the time when the cursor was saved; nil when it was not saved.
    private var saved: Int??
    /// A CR after something visible: what is painted next overwrites it.
    private var isReturned = false
    /// The place of the first byte that was painted after the last CR that returned over text; 0 when there is none.
    private(set) var repaint = 0

    /// A scanner at the beginning of a row, or behind visible text in one.
    init(followsText: Bool = false) {
        hasVisible = followsText
    }

    /// The place after the line's last byte; nil when the line may continue after `bytes`, which begin at its first byte
    /// and may have more than one line.
    mutating func end(in bytes: UnsafeRawBufferPointer) -> Int? {
        while at < bytes.count {
            switch bytes[at] {
            case Byte.feed:
                return at + 1
            case Byte.escape:
                switch ControlSequence.parse(bytes, at: at) {
                case .sequence(let sequence):
                    follow(sequence.effect)
                    at = sequence.end
                    continue
                case .incomplete:
                    return nil
                case .malformed:
                    break
                }
            case Byte.carriageReturn:
                isReturned = hasVisible
                at += 1
                continue
            case Byte.verticalTab, Byte.formFeed:
                leaveRow()
                at += 1
                continue
            case UInt8(ascii: "["), UInt8(ascii: "<"):
                switch stamp(in: bytes) {
                case .incomplete:
                    return nil
                case .stamp(let end):
                    if hasVisible {
                        return departure ?? at
                    }
                    hasVisible = true
                    at = end
                    continue
                case .none:
                    break
                }
            case Byte.tab, UInt8(ascii: " "), Byte.backspace, Byte.delete:
                at += 1
                continue
            case let byte where Byte.isIgnored(byte):
                at += 1
                continue
            default:
                break
            }
            if let departure {
                return departure
            }
            if isReturned {
                isReturned = false
                repaint = at
            }
            hasVisible = true
            at = Self.endOfText(in: bytes, from: at + 1)
        }
        return nil
    }

    /// The end of a run of bytes of visible characters and blanks.
    private static func endOfText(in bytes: UnsafeRawBufferPointer, from start: Int) -> Int {
        var at = start
        while at < bytes.count {
            switch bytes[at] {
            case 0..<0x20, UInt8(ascii: "["), UInt8(ascii: "<"), Byte.delete: return at
            default: at += 1
            }
        }
        return at
    }

    /// A stamp at the present place, unless syslog has written `kernel: ` before it.
    private func stamp(in bytes: UnsafeRawBufferPointer) -> KernelStamp.Match {
        let prefix = "kernel: ".utf8
        if at >= prefix.count, bytes[(at - prefix.count)..<at].elementsEqual(prefix) {
            return .none
        }
        return KernelStamp.match(bytes, at: at)
    }

    private mutating func follow(_ effect: ControlSequence.Effect) {
        switch effect {
        case .position(let row, _):
            guard hasVisible else {
                self.row = row
                return
            }
            departure = self.row == row ? nil : departure ?? at
        case .leavesRow:
            leaveRow()
        case .saveCursor:
            saved = .some(departure)
        case .restoreCursor:
            if let saved {
                departure = saved
            }
        case .none, .style, .lineDrawing, .column, .edit:
            break
        }
    }

    private mutating func leaveRow() {
        if hasVisible {
            departure = departure ?? at
        } else {
            row = nil
        }
    }
}
