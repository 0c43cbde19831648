// SPDX-License-Identifier: Apache-2.0

import LogModel

// Values that name VMs and their streams.
extension ConfigurationReader {
    /// The VMs that match one of `words`, the value of `key`. Throws when no VM can match one of them.
    func vmPattern(_ key: String, _ words: [String]) throws(ConfigurationError) -> VMPattern {
        guard !words.isEmpty else {
            throw error(at: key, "\(name(of: key)) is empty, so no VM matches: remove it for all VMs")
        }
        if let word = words.first(where: { !VMPattern.canMatch($0) }) {
            throw error(
                at: key,
                "\(name(of: key)): '\(word)' matches no VM; use a pattern of names such as db-* or lab/db-*, or a UUID"
            )
        }
        return VMPattern(words)
    }

    /// A UUID, in its canonical form.
    func uuid(_ key: String) throws(ConfigurationError) -> String? {
        guard let text = try text(key) else {
            return nil
        }
        guard let uuid = VMIdentity.canonicalUUID(text) else {
            return try fail(error(at: key, "\(text) is not a UUID"), nil)
        }
        return uuid
    }

    func streamName(_ key: String) throws(ConfigurationError) -> StreamName? {
        guard let text = try text(key) else {
            return nil
        }
        return try streamName(key, text)
    }

    /// The stream `text`, a value of `key`.
    func streamName(_ key: String, _ text: String) throws(ConfigurationError) -> StreamName {
        guard let stream = StreamName(text) else {
            throw error(at: key, "\(text) is not a stream name: use \(StreamName.rule)")
        }
        return stream
    }
}
