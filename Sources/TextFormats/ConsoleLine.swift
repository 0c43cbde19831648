// SPDX-License-Identifier: Apache-2.0

/// Scans a console line: skips control sequences, the priority and the time stamp before the text.
///
/// Examines at most `ConsoleLine.lookAhead` bytes and never allocates, so it can be used for every line of a flood.
struct ConsoleLine {
    /// Enough for the longest known prefix (a systemd OSC 3008 context of some 300 bytes) and the text after it.
    static let lookAhead = 512

    private let bytes: UnsafeRawBufferPointer
    /// Whether the line is longer than the look-ahead.
    let isCut: Bool
    private(set) var offset = 0

    init(_ line: UnsafeRawBufferPointer) {
        bytes = UnsafeRawBufferPointer(rebasing: line.prefix(Self.lookAhead))
        isCut = line.count > Self.lookAhead
    }

    /// The byte at the current position, or nil at the end.
    var current: UInt8? {
        offset < bytes.count ? bytes[offset] : nil
    }

    /// The rest, up to the end of the look-ahead.
    var rest: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: bytes[offset...])
    }

    mutating func advance(by count: Int = 1) {
        offset += count
    }

    /// Skips three letters, of which the first is a capital: a day's or a month's name.
    mutating func takeName() -> Bool {
        guard bytes.count - offset >= 3, (0x41...0x5a).contains(bytes[offset]),
            (0x61...0x7a).contains(bytes[offset + 1]), (0x61...0x7a).contains(bytes[offset + 2])
        else {
            return false
        }
        offset += 3
        return true
    }

    /// Whether the text here begins with `word`.
    @inline(__always)
    func begins(with word: StaticString) -> Bool {
        // Nearly all words are decided by the first byte.
        offset < bytes.count && bytes[offset] == word.utf8Start[0] && hasBytes(of: word)
    }

    private func hasBytes(of word: StaticString) -> Bool {
        let (first, count) = (word.utf8Start, word.utf8CodeUnitCount)
        guard bytes.count - offset >= count else {
            return false
        }
        for index in 0..<count where bytes[offset + index] != first[index] {
            return false
        }
        return true
    }

    /// Whether the line ends here or within `word`, as far as it has bytes.
    func ends(within word: StaticString) -> Bool {
        let text = UnsafeRawBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount)
        return bytes.count - offset < text.count && zip(rest, text).allSatisfy(==)
    }

    /// Whether all bytes from here on, one or more, may be the beginning of a stamp, with what precedes it: `<N>`, the time of
    /// a console's client.
    var endsWithinStamp: Bool {
        (current == UInt8(ascii: "[") || current == UInt8(ascii: "<"))
            && rest.allSatisfy { $0 == UInt8(ascii: " ") || "<>[].,:-0123456789TC".utf8.contains($0) }
    }

    /// Skips `word` if it comes next.
    @inline(__always)
    mutating func take(_ word: StaticString) -> Bool {
        guard begins(with: word) else {
            return false
        }
        offset += word.utf8CodeUnitCount
        return true
    }

    /// Skips what precedes a line's text: CR, the NULs of a UART that was just initialized, and escape sequences
    /// (SeaBIOS resets the terminal, OVMF clears it, systemd sets colours).
    mutating func skipNoise() {
        while let byte = current {
            switch byte {
            case Byte.carriageReturn, 0:
                offset += 1
            case Byte.escape:
                skipSequence()
            default:
                return
            }
        }
    }

    /// Skips `<N>`, the priority of the kernel and syslog, and returns N: at most 3 digits.
    mutating func takePriority() -> Int? {
        guard current == UInt8(ascii: "<") else {
            return nil
        }
        var end = offset + 1
        let value = number(at: &end, digits: 1...3)
        guard let value, end < bytes.count, bytes[end] == UInt8(ascii: ">") else {
            return nil
        }
        offset = end + 1
        return value
    }

    /// Skips the kernel's time stamp, `[   12.345678] `, and returns it in microseconds. The task or CPU that
    /// CONFIG_PRINTK_CALLER adds, `[    T0]`, is skipped too. NetBSD's stamps have seven digits after the point.
    mutating func takeStamp() -> Int64? {
        guard current == UInt8(ascii: "[") else {
            return nil
        }
        var end = offset + 1
        skipSpaces(at: &end)
        guard let seconds = number(at: &end, digits: 1...10), step(over: ".", at: &end),
            let microseconds = fraction(at: &end), step(over: "]", at: &end)
        else {
            return nil
        }
        var caller = end
        if step(over: "[", at: &caller) {
            skipSpaces(at: &caller)
            if step(over: "T", at: &caller) || step(over: "C", at: &caller), number(at: &caller, digits: 1...10) != nil,
                step(over: "]", at: &caller)
            {
                end = caller
            }
        }
        guard step(over: " ", at: &end) else {
            return nil
        }
        offset = end
        return Int64(seconds) * 1_000_000 + microseconds
    }

    /// Skips blanks and what `skipNoise` skips.
    mutating func skipBlanks() {
        skipNoise()
        while current == UInt8(ascii: " ") || current == Byte.tab {
            offset += 1
            skipNoise()
        }
    }

    /// A program's name before a message.
    struct Program {
        let name: UnsafeRawBufferPointer
        /// Whether its process's number is there.
        let hasNumber: Bool
    }

    /// Skips a program's name and number, `sshd[812]: ` or `dracut: `, and returns them. A level, `DEBUG: `, is no name.
    mutating func takeProgram() -> Program? {
        var end = offset
        while end < bytes.count, Self.isNameByte(bytes[end]) {
            end += 1
        }
        let name = UnsafeRawBufferPointer(rebasing: bytes[offset..<end])
        let hasNumber = step(over: "[", at: &end)
        if hasNumber {
            guard number(at: &end, digits: 1...10) != nil, step(over: "]", at: &end) else {
                return nil
            }
        }
        guard !name.isEmpty, step(over: ":", at: &end), step(over: " ", at: &end), !SeverityWords.isLevel(name) else {
            return nil
        }
        offset = end
        return Program(name: name, hasNumber: hasNumber)
    }

    /// Skips a device's path, `/dev/vda1: `.
    mutating func takeDevice() {
        guard current == UInt8(ascii: "/"), begins(with: "/dev/") else {
            return
        }
        var end = offset
        while end < bytes.count, bytes[end] > 0x20, bytes[end] != UInt8(ascii: ":") {
            end += 1
        }
        if step(over: ":", at: &end), step(over: " ", at: &end) {
            offset = end
        }
    }

    static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
            true
        default: false
        }
    }

    // MARK: Pieces

    private mutating func skipSequence() {
        switch ControlSequence.parse(bytes, at: offset) {
        case .sequence(let sequence): offset = sequence.end
        case .incomplete: offset = bytes.count
        case .malformed: offset += 1
        }
    }

    private func step(over byte: Unicode.Scalar, at end: inout Int) -> Bool {
        guard end < bytes.count, bytes[end] == UInt8(ascii: byte) else {
            return false
        }
        end += 1
        return true
    }

    private func skipSpaces(at end: inout Int) {
        while step(over: " ", at: &end) {}
    }

    /// The decimal fraction at `end`, of 1 to 9 digits, in millionths; `end` is advanced past it.
    private func fraction(at end: inout Int) -> Int64? {
        let start = end
        guard let value = number(at: &end, digits: 1...9) else {
            return nil
        }
        var millionths = Int64(value)
        for _ in end - start..<max(6, end - start) {
            millionths *= 10
        }
        for _ in 6..<max(6, end - start) {
            millionths /= 10
        }
        return millionths
    }

    /// The number at `end`, which is advanced past it; nil when the number of digits is not in the range.
    private func number(at end: inout Int, digits: ClosedRange<Int>) -> Int? {
        let start = end
        var value = 0
        while end < bytes.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[end]) {
            guard end - start < digits.upperBound else {
                return nil
            }
            value = value * 10 + Int(bytes[end] - UInt8(ascii: "0"))
            end += 1
        }
        return digits.contains(end - start) ? value : nil
    }
}
