// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
    import Glibc
#endif

extension BootLine {
    /// Where, after visible text, a new row begins in `line` at or after `start`: where the terminal is reset or
    /// cleared, or where a kernel's time stamp stands. A machine that is reset while a prompt is open, and a kernel that
    /// prints meanwhile, continue on the prompt's line.
    ///
    /// `followsText` tells whether visible text precedes `start`. nil when there is no such place.
    public static func nextRow(
        in line: UnsafeRawBufferPointer,
        from start: Int,
        followsText: Bool = false
    ) -> Int? {
        var end = line.count
        var place = first(Byte.escape, in: line, start..<end)
        while let escape = place {
            if clearsScreen(line, at: escape), followsText || hasText(line, start..<escape) {
                end = escape
                break
            }
            place = first(Byte.escape, in: line, escape + 1..<end)
        }
        place = first(UInt8(ascii: "["), in: line, start..<end)
        while let bracket = place {
            if let row = stampedRow(line, at: bracket, from: start), followsText || hasText(line, start..<row) {
                return row
            }
            place = first(UInt8(ascii: "["), in: line, bracket + 1..<end)
        }
        return end < line.count ? end : nil
    }

    private static func first(_ byte: UInt8, in line: UnsafeRawBufferPointer, _ range: Range<Int>) -> Int? {
        guard let base = line.baseAddress,
            let hit = memchr(base + range.lowerBound, Int32(byte), range.count)
        else {
            return nil
        }
        return UnsafeRawPointer(hit) - base
    }

    /// ESC c, ESC [ 2 J, ESC [ H.
    private static func clearsScreen(_ line: UnsafeRawBufferPointer, at place: Int) -> Bool {
        let scanner = ConsoleLine(UnsafeRawBufferPointer(rebasing: line[place...].prefix(8)))
        return scanner.begins(with: "\u{1b}c") || scanner.begins(with: "\u{1b}[2J")
            || scanner.begins(with: "\u{1b}[H")
    }

    /// Where the line begins whose time stamp is at `place`: there, or at the `<N>` before it.
    private static func stampedRow(_ line: UnsafeRawBufferPointer, at place: Int, from start: Int) -> Int? {
        guard place + 1 < line.count, (0x30...0x39).contains(line[place + 1]) || line[place + 1] == 0x20 else {
            return nil
        }
        var scanner = ConsoleLine(UnsafeRawBufferPointer(rebasing: line[place...].prefix(64)))
        guard scanner.takeStamp() != nil else {
            return nil
        }
        for length in 3...5 where place - length >= start {
            var priority = ConsoleLine(UnsafeRawBufferPointer(rebasing: line[place - length..<place]))
            if priority.takePriority() != nil, priority.current == nil {
                return place - length
            }
        }
        return place
    }

    private static func hasText(_ line: UnsafeRawBufferPointer, _ range: Range<Int>) -> Bool {
        var scanner = ConsoleLine(UnsafeRawBufferPointer(rebasing: line[range]))
        scanner.skipBlanks()
        return scanner.current != nil
    }
}
