// SPDX-License-Identifier: Apache-2.0

extension Unicode.Scalar {
    /// Whether it is a control character: C0, DEL or C1 (ECMA-48). A terminal may act on it.
    public var isControl: Bool { value < 0x20 || (0x7f...0x9f).contains(value) }
}
