// SPDX-License-Identifier: Apache-2.0

/// Suggestions for mistyped words.
public enum NearestWord {
    /// The most similar one of `words`; nil when none is similar.
    public static func to(_ word: String, among words: [String]) -> String? {
        Set(words).map { (distance: distance(word, $0), word: $0) }
            .filter { $0.distance <= max(1, word.utf8.count / 3) }
            .min { $0 < $1 }?.word
    }

    /// The number of insertions, deletions, replacements and swaps of neighbours between two words, ignoring case.
    private static func distance(_ left: String, _ right: String) -> Int {
        let (a, b) = (Array(left.lowercased().utf8.prefix(64)), Array(right.lowercased().utf8.prefix(64)))
        var rows = [[Int]](repeating: [Int](repeating: 0, count: b.count + 1), count: a.count + 1)
        for i in 0...a.count {
            for j in 0...b.count {
                if i == 0 || j == 0 {
                    rows[i][j] = i + j
                    continue
                }
                let change = rows[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)
                rows[i][j] = min(change, rows[i - 1][j] + 1, rows[i][j - 1] + 1)
                if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] {
                    rows[i][j] = min(rows[i][j], rows[i - 2][j - 2] + 1)
                }
            }
        }
        return rows[a.count][b.count]
    }
}
