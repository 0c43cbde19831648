// SPDX-License-Identifier: Apache-2.0

import Glibc
public import LogModel

/// A character set that a guest uses instead of UTF-8, by one of the names that iconv(3) knows: `latin1`, `cp437`, `gbk`.
public struct Charset: Hashable, Sendable {
    public let name: String

    /// The character set `name`. Throws `badRequest` when iconv does not know it, or when its letters, digits and blank are
    /// not those of ASCII, everywhere in a text: a console's lines are found by their bytes, and a line is decoded alone.
    public init(_ name: String) throws(QueryError) {
        self.name = name
        let isName = name.utf8.allSatisfy { (0x21..<0x7f).contains($0) && $0 != UInt8(ascii: "/") }
        guard isName, !name.isEmpty, let decoder = CharsetDecoder(name: name) else {
            throw QueryError(.badRequest, "unknown charset \(VMLookup.quoted(name)); 'iconv -l' lists the names")
        }
        // Behind ISO 2022's sequences, and in UTF-7 behind a plus, letters mean others.
        let shifts = ["\u{1b}$B$\"", "\u{1b}$)AA", "\u{1b}$)CA", "+AGE-"]
        let common = Array(("ABCXYZ abcxyz 0123456789 .:,-" + shifts.joined()).utf8)
        guard common.withUnsafeBytes({ decoder.text(of: $0) }) == common else {
            throw QueryError(
                .badRequest,
                "charset \(VMLookup.quoted(name)) is not supported: it must be a superset of ASCII"
            )
        }
    }

    /// A decoder for one thread; nil for want of memory or of iconv's own files.
    func decoder() -> CharsetDecoder? { CharsetDecoder(name: name) }
}

/// The character sets of VMs, by patterns of their names.
public struct CharsetRules: Sendable {
    /// A character set for some VMs.
    public struct Rule: Hashable, Sendable {
        public var vms: VMPattern
        public var charset: Charset

        /// The rule that `vms` use `charset`.
        public init(vms: VMPattern, charset: Charset) {
            self.vms = vms
            self.charset = charset
        }
    }

    /// The first that matches applies.
    public var rules: [Rule]

    /// UTF-8 unless a rule applies.
    public init(_ rules: [Rule] = []) {
        self.rules = rules
    }

    /// The name of the one that applies to all VMs; nil when there is none.
    public var name: String? { rules.first.flatMap { $0.vms == .all ? $0.charset.name : nil } }

    /// The character set of `vm`; nil: UTF-8.
    func charset(of vm: VMIdentity) -> Charset? {
        rules.first { $0.vms.contains(vm) }?.charset
    }
}

/// Converts text to UTF-8. Used by one thread.
final class CharsetDecoder {
    private let handle: iconv_t

    fileprivate init?(name: String) {
        let handle = iconv_open("UTF-8", name)
        guard let handle, handle != iconv_t(bitPattern: -1) else {
            return nil
        }
        self.handle = handle
    }

    deinit {
        iconv_close(handle)
    }

    /// `text` in UTF-8. Bytes that are no character are kept.
    func text(of text: [UInt8]) -> [UInt8] {
        text.withUnsafeBytes { self.text(of: $0) }
    }

    /// `bytes` in UTF-8. Bytes that are no character are kept.
    func text(of bytes: UnsafeRawBufferPointer) -> [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(2 * bytes.count)
        iconv(handle, nil, nil, nil, nil)
        var rest = bytes
        while !rest.isEmpty {
            let read = convert(rest, into: &out)
            rest = UnsafeRawBufferPointer(rebasing: rest[read...])
            if let byte = rest.first {
                out.append(byte)
                rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst())
            }
        }
        return out
    }

    /// Appends what can be converted; returns the number of bytes read.
    private func convert(_ bytes: UnsafeRawBufferPointer, into out: inout [UInt8]) -> Int {
        // No character set has a byte that is more than eight bytes of UTF-8.
        var read = 0
        let converted = [UInt8](unsafeUninitializedCapacity: 8 * bytes.count) { buffer, count in
            var input = UnsafeMutableRawPointer(mutating: bytes.baseAddress)?.assumingMemoryBound(to: CChar.self)
            var inputLeft = bytes.count
            var output = UnsafeMutableRawPointer(buffer.baseAddress)?.assumingMemoryBound(to: CChar.self)
            var outputLeft = buffer.count
            iconv(handle, &input, &inputLeft, &output, &outputLeft)
            read = bytes.count - inputLeft
            count = buffer.count - outputLeft
        }
        out += converted
        return read
    }
}
