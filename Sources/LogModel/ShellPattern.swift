// SPDX-License-Identifier: Apache-2.0

/// The patterns of fnmatch(3) and glob(3).
public enum ShellPattern {
    /// Whether `word` has a character with a special meaning in a shell pattern. An opening bracket alone has none.
    public static func isPattern(_ word: String) -> Bool {
        word.contains { "*?".contains($0) } || word.drop { $0 != "[" }.contains("]")
    }
}
