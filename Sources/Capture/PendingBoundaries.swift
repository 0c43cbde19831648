import LogStore

/// Something that the transport saw happen to a console between two bytes: where a boot begins or ends, or where the
/// console was not listened to.
public enum ConsoleBoundary: Hashable, Sendable {
    /// A boot began or ended.
    case boot(BootEvent)
    /// Nobody listened for a while, for that reason; how much was said then is not known.
    case absence(GapReason)
}

/// Boundaries whose markers are still to be written, oldest first, in one word of a ring's slot, so that they outlive the
/// process: a byte each, eight at most. When more come the oldest goes: of a console that flaps, the last is what counts.
struct PendingBoundaries: Hashable {
    /// The word; 0: none.
    private(set) var word: UInt64

    private static let bitsEach: UInt64 = 8

    /// The boundaries that `word` holds; bytes that stand for none, as in a ring that is damaged, are passed over.
    init(word: UInt64 = 0) {
        self.word = 0
        for place in (0..<UInt64(8)).reversed() where word != 0 {
            if let boundary = ConsoleBoundary(code: word >> (place * Self.bitsEach) & 0xff) {
                append(boundary)
            }
        }
    }

    var isEmpty: Bool { word == 0 }

    /// The oldest; nil when there is none.
    var first: ConsoleBoundary? {
        guard let place = lastPlace else {
            return nil
        }
        let code = word >> (place * Self.bitsEach) & 0xff
        return ConsoleBoundary(code: code)
    }

    mutating func append(_ boundary: ConsoleBoundary) {
        word = word << Self.bitsEach | boundary.code
    }

    mutating func removeFirst() {
        guard let place = lastPlace else {
            return
        }
        word &= ~(0xff << (place * Self.bitsEach))
    }

    /// The place of the highest byte that is not 0, counted from the lowest.
    private var lastPlace: UInt64? {
        word == 0 ? nil : (63 - UInt64(word.leadingZeroBitCount)) / Self.bitsEach
    }
}

extension ConsoleBoundary {
    /// One byte, never 0: the event's or the reason's own number.
    var code: UInt64 {
        switch self {
        case .boot(let event): UInt64(event.rawValue)
        case .absence(let reason): 0x80 | UInt64(reason.rawValue)
        }
    }

    init?(code: UInt64) {
        if code & 0x80 != 0 {
            guard let reason = GapReason(rawValue: UInt8(code & 0x7f)) else {
                return nil
            }
            self = .absence(reason)
        } else {
            guard let event = BootEvent(rawValue: UInt8(code & 0x7f)) else {
                return nil
            }
            self = .boot(event)
        }
    }
}
