// SPDX-License-Identifier: Apache-2.0

/// The names under which descriptors are stored with a service manager, one for each key, which is what the
/// descriptor leads to.
///
/// The service manager passes all names to the next process in one environment variable, which Linux limits
/// (`PassedDescriptors.variableLimit`). So a name is a prefix and a number in base 36 of at most five digits: with one
/// letter and the separator, 16,384 names have at most 114,688 bytes.
///
/// A number is given again only after all others were. So a descriptor that a service manager still has under an old
/// name is not taken for another one.
struct DescriptorNames: Sendable {
    private let prefix: String
    /// By the bytes of the key: canonically equivalent spellings are two keys.
    private var names: [[UInt8]: String] = [:]
    private var used: Set<String> = []
    private var last = 0

    private static let digits = 5
    private static let base = 36
    /// One more than the highest number.
    private static let end = (0..<digits).reduce(1) { product, _ in product * base }

    /// Names that begin with `prefix`.
    init(prefix: String) {
        self.prefix = prefix
    }

    subscript(key: String) -> String? { names[Array(key.utf8)] }

    /// The number of a name of this form; nil when it has another form.
    func number(of name: String) -> Int? {
        let digits = name.dropFirst(prefix.count)
        guard name.hasPrefix(prefix), (1...Self.digits).contains(digits.utf8.count),
            let number = Int(digits, radix: Self.base)
        else {
            return nil
        }
        // Not a sign, capital letters or leading zeros.
        return String(number, radix: Self.base) == digits ? number : nil
    }

    /// The name of `key`, which gets one if it has none.
    mutating func name(for key: String) -> String {
        if let name = self[key] {
            return name
        }
        var name: String
        repeat {
            last = (last + 1) % Self.end
            name = prefix + String(last, radix: Self.base)
        } while used.contains(name)
        set(name, for: key)
        return name
    }

    /// Takes over the name that an earlier process has given `key`, of whatever form.
    mutating func adopt(_ name: String, for key: String) {
        remove(key)
        set(name, for: key)
        last = max(last, number(of: name) ?? 0)
    }

    private mutating func set(_ name: String, for key: String) {
        names[Array(key.utf8)] = name
        used.insert(name)
    }

    /// Forgets the name of `key`, and returns it.
    @discardableResult
    mutating func remove(_ key: String) -> String? {
        guard let name = names.removeValue(forKey: Array(key.utf8)) else {
            return nil
        }
        used.remove(name)
        return name
    }
}
