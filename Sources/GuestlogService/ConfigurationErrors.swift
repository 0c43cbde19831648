// SPDX-License-Identifier: Apache-2.0

/// The errors of a file, collected while it is read on.
final class ConfigurationErrors {
    private(set) var all: [ConfigurationError] = []

    /// Adds `error`, once.
    func add(_ error: ConfigurationError) {
        if !all.contains(error) {
            all.append(error)
        }
    }

    /// Throws the first error, with the others.
    func throwAll() throws(ConfigurationError) {
        // By line; of one line in the order in which they were found.
        let sorted = all.enumerated().sorted { ($0.element.line ?? 0, $0.offset) < ($1.element.line ?? 0, $1.offset) }
        if var first = sorted.first?.element {
            first.others = sorted.dropFirst().map(\.element)
            throw first
        }
    }
}
