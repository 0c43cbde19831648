// SPDX-License-Identifier: Apache-2.0

import TextFormats

/// A guest's line as `text` shows it, without colours.
public enum DisplayedLine {
    /// `line`, which has no LF, made safe for a terminal; CRs before the LF are omitted.
    public static func text(of line: some Sequence<UInt8>) -> String {
        var content = Array(line)
        while content.last == 0x0d {
            content.removeLast()
        }
        var out = TerminalEscaper.escape(content, style: .display(color: false))
        var markerGuard = MarkerGuard()
        markerGuard.check(&out, from: 0, isWholeLine: true)
        return String(decoding: out, as: UTF8.self)
    }
}
