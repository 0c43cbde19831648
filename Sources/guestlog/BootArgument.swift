// SPDX-License-Identifier: Apache-2.0

/// What people type behind `-b`, besides numbers.
enum BootArgument {
    private static let words: Set<String> = [
        "first", "oldest", "last", "latest", "newest", "current", "this", "previous", "prev",
    ]

    static func isAll(_ word: some StringProtocol) -> Bool { word == "all" }

    /// Whether `word` stands for boots, but for no number.
    static func isWord(_ word: some StringProtocol) -> Bool {
        isAll(word) || isID(word) || words.contains(word.lowercased())
            || !word.isEmpty && word.allSatisfy { $0.isASCII && $0.isNumber }
    }

    /// Whether `word` is a boot's id as journalctl takes it: 32 hexadecimal digits, and possibly an offset.
    static func isID(_ word: some StringProtocol) -> Bool {
        let id = word.prefix { $0.isHexDigit }
        let offset = word.dropFirst(id.count)
        return id.count == 32 && (offset.isEmpty || "+-".contains(offset.first!) && Int(offset) != nil)
    }

    /// Throws unless `value` is the number of a boot.
    static func check(_ value: String) throws {
        guard Int(value) != nil, !isID(value) else {
            throw CommandLineError(description: "--boot=\(Terminal.safe(value)): \(remedy)")
        }
    }

    static let remedy =
        "a boot is given by its number: 0 or none for the latest, -1 for the one before, 1 for the oldest stored; all for all "
        + "boots; 'guestlog boots VM' lists them"
}
