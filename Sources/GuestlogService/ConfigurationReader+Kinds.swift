// SPDX-License-Identifier: Apache-2.0

/// The keys of a mapping that is of one of several kinds, such as an output of a type.
struct KeysByKind {
    /// Keys of every kind.
    let common: [String]
    /// Each kind as it is written in the file, such as `type: tail`, with the keys that have an effect on it alone.
    let kinds: [(name: String, keys: [String])]

    fileprivate func keys(of kind: String) -> [String] {
        common + kinds.filter { $0.name == kind }.flatMap(\.keys)
    }

    /// The kinds that have `key`, as in "a, b or c"; nil when none has.
    fileprivate func kinds(with key: String) -> String? {
        let names = kinds.filter { $0.keys.contains(key) }.map(\.name)
        guard let last = names.last else {
            return nil
        }
        return names.count == 1 ? last : names.dropLast().joined(separator: ", ") + " or " + last
    }
}

extension ConfigurationReader {
    /// Reports each key that no kind has.
    func allow(_ keys: KeysByKind) throws(ConfigurationError) {
        try allow(keys.common + keys.kinds.flatMap(\.keys))
    }

    /// Reports a key with a value that the kind `kind` does not have, and names the kinds that have it.
    func allow(_ keys: KeysByKind, of kind: String) throws(ConfigurationError) {
        try allow(keys)
        let own = keys.keys(of: kind)
        let others = self.keys.lazy.filter { has($0) && !own.contains($0) && !hasError(about: $0) }
        if let (key, kinds) = others.compactMap({ key in keys.kinds(with: key).map { (key, $0) } }).first {
            try fail(error(at: key, "\(name(of: key)) has no effect with \(kind): remove it, or use \(kinds)"))
        }
    }

    /// Reports the first of `keys` that has a value. `reason` says why it has no effect, and what to do. Where the section has
    /// another error, that one may be the reason.
    func refuse(_ keys: [String], _ reason: (_ key: String) -> String) throws(ConfigurationError) {
        if !hasErrors, let key = keys.first(where: has) {
            try fail(error(at: key, "\(name(of: key)) \(reason(key))"))
        }
    }
}
