// SPDX-License-Identifier: Apache-2.0

import LogModel

/// What another program has written before a kernel's time stamp on the same line, which is that program's line and is
/// not divided.
///
/// Behind other text a stamp begins a line, because a kernel prints wherever the cursor is: behind a prompt, a progress
/// bar or half a line. Where text could be both, it is taken for such text. Never allocates.
enum LoggerPrefix: Equatable {
    /// A client of the console, a relay or a hypervisor writes it before each line that a kernel prints: a time, a name in
    /// brackets.
    case client
    /// Syslog or `dmesg -x` writes it before a message of the kernel's log.
    case log
    /// The stamp is in text that is quoted, or that grep has found in a file.
    case quotation

    /// The most bytes that a prefix has.
    static let longest = 256

    /// The prefix that `bytes` are, which is what precedes a stamp in its row; nil when it is other text.
    init?(_ bytes: UnsafeRawBufferPointer) {
        let text = UnsafeRawBufferPointer(rebasing: bytes[..<Self.withoutPriority(bytes)])
        guard !text.isEmpty, text.count <= Self.longest else {
            return nil
        }
        let found: LoggerPrefix? = withUnsafeTemporaryAllocation(byteCount: Self.longest + 1, alignment: 1) { buffer in
            Self.visible(text, in: buffer).flatMap { Text($0).flatMap(Self.prefix) }
        }
        guard let found else {
            return nil
        }
        self = found
    }

    /// The length of `text`, which precedes a stamp, without the `<N>` at its end.
    fileprivate static func withoutPriority(_ text: UnsafeRawBufferPointer) -> Int {
        guard text.last == UInt8(ascii: ">"), let start = text.suffix(5).lastIndex(of: UInt8(ascii: "<")),
            text[(start + 1)...].dropLast().allSatisfy(\.isDecimalDigit)
        else {
            return text.count
        }
        return start
    }

    /// Visible text before a stamp.
    private struct Text {
        /// The text without blanks at its end.
        let bytes: UnsafeRawBufferPointer
        /// The same, with one blank.
        let blanked: UnsafeRawBufferPointer
        let last: UInt8
        /// Whether blanks separate it from the stamp.
        let endsWithBlank: Bool

        /// nil when only blanks precede the last byte of `text`, which is a blank.
        init?(_ text: UnsafeRawBufferPointer) {
            guard let end = text.lastIndex(where: { $0 != UInt8(ascii: " ") }) else {
                return nil
            }
            bytes = UnsafeRawBufferPointer(rebasing: text[...end])
            blanked = UnsafeRawBufferPointer(rebasing: text[...(end + 1)])
            last = text[end]
            endsWithBlank = text.count > end + 2
        }

        func ends(with word: StaticString) -> Bool {
            let word = UnsafeRawBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount)
            return UnsafeRawBufferPointer(rebasing: bytes.suffix(word.count)).hasSameBytes(as: word)
        }

        var hasBlanks: Bool { bytes.contains(UInt8(ascii: " ")) }
        var words: Int { bytes.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: true).count }
    }

    /// Copies what a terminal shows of `text`, and a blank, to `buffer`; nil when the text is edited in its row, as only
    /// prompts and progress bars are.
    private static func visible(
        _ text: UnsafeRawBufferPointer,
        in buffer: UnsafeMutableRawBufferPointer
    ) -> UnsafeRawBufferPointer? {
        var count = 0
        var offset = 0
        while offset < text.count {
            switch text[offset] {
            case Byte.escape:
                guard case .sequence(let sequence) = ControlSequence.parse(text, at: offset),
                    count == 0 || paintsNothing(sequence.effect)
                else {
                    return nil
                }
                offset = sequence.end
                continue
            case Byte.carriageReturn:
                count = 0
            case Byte.tab:
                buffer[count] = UInt8(ascii: " ")
                count += 1
            case let byte where Byte.isIgnored(byte):
                break
            case 0..<0x20, Byte.delete:
                return nil
            case let byte:
                buffer[count] = byte
                count += 1
            }
            offset += 1
        }
        buffer[count] = UInt8(ascii: " ")
        return UnsafeRawBufferPointer(rebasing: buffer[...count])
    }

    private static func paintsNothing(_ effect: ControlSequence.Effect) -> Bool {
        effect == .none || effect == .style || effect == .edit(.eraseToEnd)
    }

    private static func prefix(_ text: Text) -> LoggerPrefix? {
        if isLog(text) {
            return .log
        }
        if isQuotation(text) {
            return .quotation
        }
        return isClient(text) ? .client : nil
    }

    // MARK: - Copies of the kernel's log

    /// Whether the text is syslog's, `… web kernel: ` or `… web kernel - - - `, or the facility and level of `dmesg -x`.
    private static func isLog(_ text: Text) -> Bool {
        if text.ends(with: "kernel:") || text.endsWithBlank && text.ends(with: " - -") {
            return true
        }
        var line = ConsoleLine(text.blanked)
        return line.takeFacilityAndLevel() != nil && line.current == nil
    }

    /// Whether the text ends with a quotation mark that opens, `{"msg":"`, or is the name of grep's file, `log/dmesg:12:`.
    private static func isQuotation(_ text: Text) -> Bool {
        guard !text.endsWithBlank else {
            return false
        }
        switch text.last {
        case UInt8(ascii: "\""), UInt8(ascii: "'"):
            return text.bytes.count { $0 == text.last } % 2 == 1
        case UInt8(ascii: ":"):
            return !text.hasBlanks && text.bytes.contains { "/.0123456789".utf8.contains($0) }
        default:
            return false
        }
    }

    // MARK: - Clients of the console

    private static func isClient(_ text: Text) -> Bool {
        // Prompts, percentages, `Starting …`; half a line of a kernel.
        guard !"#$>%.".utf8.contains(text.last), text.last < 0x80, KernelStamp.first(in: text.blanked) == nil else {
            return false
        }
        return isName(text) || isSeconds(text) || isInBrackets(text.bytes) || isBehindTime(text)
    }

    /// Whether the text is a program's name: `(XEN) `, `relay[812]: `, `web-1  | `.
    private static func isName(_ text: Text) -> Bool {
        guard text.endsWithBlank else {
            return false
        }
        var line = ConsoleLine(text.blanked)
        switch text.last {
        case UInt8(ascii: ")"):
            return text.bytes[0] == UInt8(ascii: "(") && !text.hasBlanks
        case UInt8(ascii: ":"):
            return line.takeProgram()?.hasNumber ?? false && line.current == nil
        default:
            return line.takeColumn() && line.current == nil
        }
    }

    /// Whether the text is a number of seconds, `1704103200.123456 `.
    private static func isSeconds(_ text: Text) -> Bool {
        var line = ConsoleLine(text.bytes)
        return text.endsWithBlank && line.takeDigits(10) > 0 && line.take(".") && line.takeDigits(9) > 0
            && line.current == nil
    }

    /// Whether all of `text` is in brackets and may be a time or a name: `[10:12:45.123]`, `[0.000001 0.000001]`,
    /// `[pod/web/log]`; no progress bar and no result, `[  OK  ]`.
    private static func isInBrackets(_ text: UnsafeRawBufferPointer) -> Bool {
        var offset = 0
        while offset < text.count {
            guard text[offset] == UInt8(ascii: "["), let end = text.firstOffset(of: UInt8(ascii: "]"), from: offset),
                text[(offset + 1)..<end].contains(where: { ConsoleLine.isNameByte($0) }),
                text[offset + 1] != UInt8(ascii: " "),
                !text[(offset + 1)..<end].contains(where: { "%#=*<>[".utf8.contains($0) })
            else {
                return false
            }
            offset = end + 1
            while offset < text.count, text[offset] == UInt8(ascii: " ") {
                offset += 1
            }
        }
        return true
    }

    /// Whether a program's time begins the text, behind a priority or a name too, and then a few words or what separates
    /// fields from a message: `Nov 30 05:00:00 web relay: `, `2024-01-01T10:00:00Z stdout F `.
    private static func isBehindTime(_ text: Text) -> Bool {
        var line = ConsoleLine(text.blanked)
        if line.takePriority() != nil {
            _ = line.take("1 ")
        }
        _ = line.takeColumn()
        guard line.takeProgramTime() else {
            return false
        }
        guard let rest = Text(line.rest) else {
            return true
        }
        guard !rest.ends(with: "login:"), !rest.ends(with: "assword:"), !rest.ends(with: "assphrase:") else {
            return false
        }
        return ":]|-)".utf8.contains(rest.last) || rest.words <= 3
    }
}

extension ConsoleLine {
    /// Skips a logger's prefix up to the kernel's stamp, or up to `(XEN) ` before it, and returns it.
    mutating func takeLogger() -> LoggerPrefix? {
        let text = UnsafeRawBufferPointer(rebasing: rest.prefix(LoggerPrefix.longest + KernelStamp.longest))
        guard var end = KernelStamp.first(in: text), end > 0 else {
            return nil
        }
        end = LoggerPrefix.withoutPriority(UnsafeRawBufferPointer(rebasing: text[..<end]))
        guard let prefix = LoggerPrefix(UnsafeRawBufferPointer(rebasing: text[..<end])) else {
            return nil
        }
        if text[..<end].suffix(6).elementsEqual("(XEN) ".utf8) {
            end -= 6
        }
        advance(by: end)
        return prefix
    }

    /// Skips the name of a service before its output, `web-1  | `.
    fileprivate mutating func takeColumn() -> Bool {
        var line = self
        while let byte = line.current, Self.isNameByte(byte) {
            line.advance()
        }
        guard line.offset > offset + 1, line.takeSpaces(), line.take("| ") else {
            return false
        }
        _ = line.takeSpaces()
        self = line
        return true
    }
}
