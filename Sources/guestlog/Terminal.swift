// SPDX-License-Identifier: Apache-2.0

import TextFormats

/// Text for a terminal.
enum Terminal {
    /// `text` without characters that a terminal acts on.
    static func safe(_ text: String) -> String {
        String(decoding: TerminalEscaper.escape(Array(text.utf8), style: .field), as: UTF8.self)
    }
}
