// SPDX-License-Identifier: Apache-2.0

/// Writes MessagePack (github.com/msgpack/msgpack, spec.md).
public enum MessagePackWriter {
    public static func append(string text: some Collection<UInt8>, to out: inout [UInt8]) {
        appendHead(text.count, fixed: (0xa0, 31), [0xd9, 0xda, 0xdb], to: &out)
        out.append(contentsOf: text)
    }

    public static func append(string text: String, to out: inout [UInt8]) {
        append(string: text.utf8, to: &out)
    }

    public static func append(binary bytes: some Collection<UInt8>, to out: inout [UInt8]) {
        appendHead(bytes.count, fixed: nil, [0xc4, 0xc5, 0xc6], to: &out)
        out.append(contentsOf: bytes)
    }

    public static func append(arrayOf count: Int, to out: inout [UInt8]) {
        appendHead(count, fixed: (0x90, 15), [nil, 0xdc, 0xdd], to: &out)
    }

    public static func append(mapOf count: Int, to out: inout [UInt8]) {
        appendHead(count, fixed: (0x80, 15), [nil, 0xde, 0xdf], to: &out)
    }

    public static func append(bool value: Bool, to out: inout [UInt8]) {
        out.append(value ? 0xc3 : 0xc2)
    }

    public static func append(unsigned value: UInt64, to out: inout [UInt8]) {
        switch value {
        case 0..<0x80: out.append(UInt8(value))
        case 0x80...0xff: out += [0xcc, UInt8(value)]
        case 0x100...0xffff: appendNumber(0xcd, value, bytes: 2, to: &out)
        case 0x1_0000...0xffff_ffff: appendNumber(0xce, value, bytes: 4, to: &out)
        default: appendNumber(0xcf, value, bytes: 8, to: &out)
        }
    }

    /// Appends the time of an event in the Fluentd Forward protocol (version 1, "EventTime Ext Format"): extension type 0
    /// with seconds and nanoseconds in 32 bits each. A time that it cannot express becomes the nearest that it can.
    public static func append(eventTime nanoseconds: Int64, to out: inout [UInt8]) {
        out += [0xd7, 0x00]
        let range = 0...(Int64(UInt32.max) * 1_000_000_000 + 999_999_999)
        let time = min(max(nanoseconds, range.lowerBound), range.upperBound)
        let (seconds, rest) = time.quotientAndRemainder(dividingBy: 1_000_000_000)
        appendBytes(UInt64(seconds), count: 4, to: &out)
        appendBytes(UInt64(rest), count: 4, to: &out)
    }

    /// Appends the head of a string, a binary, an array or a map: `fixed` is the form with the length in the first byte,
    /// and the longest such; then the first bytes of the forms with the length in 8, 16 and 32 bits.
    private static func appendHead(
        _ count: Int,
        fixed: (base: UInt8, longest: Int)?,
        _ forms: [UInt8?],
        to out: inout [UInt8]
    ) {
        if let fixed, count <= fixed.longest {
            out.append(fixed.base | UInt8(count))
        } else if let form = forms[0], count <= 0xff {
            out += [form, UInt8(count)]
        } else if let form = forms[1], count <= 0xffff {
            appendNumber(form, UInt64(count), bytes: 2, to: &out)
        } else if let form = forms[2] {
            appendNumber(form, UInt64(count), bytes: 4, to: &out)
        }
    }

    private static func appendNumber(_ form: UInt8, _ value: UInt64, bytes: Int, to out: inout [UInt8]) {
        out.append(form)
        appendBytes(value, count: bytes, to: &out)
    }

    private static func appendBytes(_ value: UInt64, count: Int, to out: inout [UInt8]) {
        for index in (0..<count).reversed() {
            out.append(UInt8(truncatingIfNeeded: value >> UInt64(index * 8)))
        }
    }
}
