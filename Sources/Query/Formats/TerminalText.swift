// SPDX-License-Identifier: Apache-2.0

import TextFormats

/// A guest's line as `text` shows it, without colours.
public enum TerminalText {
    /// `line`, as displayed and without LF, made safe for a terminal.
    public static func text(of line: some Sequence<UInt8>) -> String {
        var out = TerminalEscaper.escape(line, style: .line(color: false))
        var markerGuard = MarkerGuard()
        markerGuard.check(&out, from: 0, isWholeLine: true)
        return String(decoding: out, as: UTF8.self)
    }
}
