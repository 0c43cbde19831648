// SPDX-License-Identifier: Apache-2.0

extension String {
    /// A hash that is the same in every version and on every host, unlike `Hasher`'s: FNV-1a of the UTF-8, 64 bits.
    ///
    /// Another `seed` makes an independent hash, for more than 64 bits.
    public func stableHash(seed: UInt64 = 0xcbf2_9ce4_8422_2325) -> UInt64 {
        utf8.reduce(seed) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    }
}
