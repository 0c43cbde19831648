// SPDX-License-Identifier: Apache-2.0

/// The columns that text takes on a terminal, as in wcwidth(3): characters of East Asian scripts and emoji take two,
/// combining characters none.
public enum DisplayWidth {
    public static func of(_ text: String) -> Int {
        text.reduce(0) { $0 + of($1) }
    }

    /// `text`, or its beginning and `…` where it takes more than `columns`.
    public static func truncate(_ text: String, to columns: Int) -> String {
        guard of(text) > columns else {
            return text
        }
        var kept = ""
        var width = 0
        for character in text {
            width += of(character)
            guard width < columns else {
                break
            }
            kept.append(character)
        }
        return kept + "…"
    }

    static func of(_ character: Character) -> Int {
        let scalars = character.unicodeScalars
        guard let first = scalars.first else {
            return 0
        }
        // Emoji are joined to one picture, of two columns; so are the two letters of a flag.
        if first.properties.isEmojiPresentation || scalars.contains(emojiStyle) {
            return 2
        }
        return scalars.reduce(0) { $0 + of($1) }
    }

    /// Whether a terminal shows the character with these bytes in two columns.
    static func isWide(_ character: UnsafeRawBufferPointer) -> Bool {
        // Nothing before U+1100 is wide.
        guard character.count > 2, character[0] > 0xe0,
            let scalar = String(validating: character, as: UTF8.self)?.unicodeScalars.first
        else {
            return false
        }
        return of(scalar) == 2 || scalar.properties.isEmojiPresentation
    }

    /// VARIATION SELECTOR-16, behind a character to be shown as an emoji.
    private static let emojiStyle: Unicode.Scalar = "\u{fe0f}"

    private static func of(_ scalar: Unicode.Scalar) -> Int {
        if scalar.value < 0x300 {
            return scalar.properties.generalCategory == .control ? 0 : 1
        }
        switch scalar.properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format, .control: return 0
        default: break
        }
        // Vowels and final consonants of Hangul join the consonant before them.
        if (0x1160...0x11ff).contains(scalar.value) {
            return 0
        }
        return wide.contains { $0.contains(scalar.value) } ? 2 : 1
    }

    /// The wide and full-width blocks of Unicode's EastAsianWidth.txt, without emoji.
    private static let wide: [ClosedRange<UInt32>] = [
        0x1100...0x115f,  // Hangul consonants
        0x2329...0x232a,  // angle brackets
        0x2e80...0x303e,  // CJK radicals, symbols, punctuation
        0x3041...0xa4cf,  // kana, bopomofo, CJK ideographs, Yi
        0xa960...0xa97c,  // Hangul consonants, extended
        0xac00...0xd7a3,  // Hangul syllables
        0xf900...0xfaff,  // CJK compatibility ideographs
        0xfe10...0xfe19,  // vertical forms
        0xfe30...0xfe6f,  // CJK compatibility forms
        0xff01...0xff60,  // full-width forms
        0xffe0...0xffe6,  // full-width signs
        0x16fe0...0x18cff,  // Tangut, Khitan
        0x1aff0...0x1b2ff,  // kana, extended; Nushu
        0x1f200...0x1f2ff,  // enclosed ideographs
        0x20000...0x3fffd,  // CJK ideographs, extended
    ]
}
