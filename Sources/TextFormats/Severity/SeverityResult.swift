// SPDX-License-Identifier: Apache-2.0

import LogModel

extension SeverityWords {
    /// The result at the end of a line, of sysvinit, `[FAILED]`, and OpenRC, `[ !! ]`; nil when there is none, and when it
    /// is not a failure.
    static func ofResult(in text: UnsafeRawBufferPointer) -> Severity? {
        var end = text.count
        while end > 0, [UInt8(ascii: " "), Byte.feed, Byte.carriageReturn, UInt8(ascii: "m")].contains(text[end - 1]) {
            guard text[end - 1] == UInt8(ascii: "m") else {
                end -= 1
                continue
            }
            guard let escape = text[max(0, end - 16)..<end].lastIndex(of: Byte.escape),
                case .sequence(let sequence) = ControlSequence.parse(text, at: escape), sequence.end == end
            else {
                return nil
            }
            end = escape
        }
        guard end > 0, text[end - 1] == UInt8(ascii: "]") else {
            return nil
        }
        var start = end - 1
        repeat {
            guard let bracket = text[max(0, end - 64)..<start].lastIndex(of: UInt8(ascii: "[")), bracket > 0 else {
                return nil
            }
            start = bracket
        } while text[start - 1] == Byte.escape
        // A blank or a sequence is before it.
        guard [UInt8(ascii: " "), Byte.tab, UInt8(ascii: "G"), UInt8(ascii: "m")].contains(text[start - 1]) else {
            return nil
        }
        var line = ConsoleLine(UnsafeRawBufferPointer(rebasing: text[start..<end]))
        _ = line.take("[")
        skipPadding(&line)
        guard line.take("FAILED") || line.take("!!") else {
            return nil
        }
        skipPadding(&line)
        return line.begins(with: "]") && line.rest.count == 1 ? .error : nil
    }
}
