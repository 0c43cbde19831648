// SPDX-License-Identifier: Apache-2.0

extension Unicode.Scalar {
    /// Whether a terminal that is sent this code point may do something other than show a glyph: act on it, reorder
    /// or break the line, or show nothing at all.
    ///
    /// These are C0, DEL and C1; the bidirectional controls and the line and paragraph separators; noncharacters; and
    /// the characters that Unicode calls default ignorable (`Default_Ignorable_Code_Point`, DerivedCoreProperties.txt),
    /// in which text can be hidden: zero-width spaces and joiners, the soft hyphen, fillers, tag characters. LF and TAB
    /// are included; callers that pass them must say so.
    ///
    /// Two ignorables are excluded: the variation selectors U+FE0E and U+FE0F, which choose the text or emoji form of a
    /// sign such as U+2714, and can hide one bit at most.
    @inlinable
    public var isTerminalHazard: Bool {
        switch value {
        case 0..<0x20, 0x7f..<0xa0: true
        // Most text consists of these.
        case 0x20..<0x7f, 0xa0..<0xad, 0xae..<0x34f: false
        // The soft hyphen and the combining grapheme joiner.
        case 0xad, 0x34f: true
        // The Arabic letter mark, the Hangul fillers, the Khmer inherent vowels, the Mongolian selectors.
        case 0x61c, 0x115f...0x1160, 0x17b4...0x17b5, 0x180b...0x180f, 0x3164, 0xffa0: true
        // Zero-width space and joiners, direction marks; separators, embeddings and overrides; the word joiner,
        // invisible operators, isolates and the deprecated format characters.
        case 0x200b...0x200f, 0x2028...0x202e, 0x2060...0x206f: true
        // The variation selectors, but for the two above; the byte order mark.
        case 0xfe00...0xfe0d, 0xfeff: true
        // Reserved ignorables and the interlinear annotation marks.
        case 0xfff0...0xfffb: true
        // Shorthand and musical format controls.
        case 0x1bca0...0x1bca3, 0x1d173...0x1d17a: true
        // Tag characters, further variation selectors and what is reserved beside them.
        case 0xe0000...0xe0fff: true
        case 0xfdd0...0xfdef: true
        // The last two code points of every plane are noncharacters.
        default: value & 0xfffe == 0xfffe
        }
    }
}
