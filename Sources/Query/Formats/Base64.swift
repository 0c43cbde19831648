/// Bytes in base 64 (RFC 4648, section 4).
enum Base64 {
    private static let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    static func append(_ bytes: UnsafeRawBufferPointer, to out: inout [UInt8]) {
        var at = 0
        while at < bytes.count {
            let count = min(3, bytes.count - at)
            var group: UInt32 = 0
            for place in 0..<3 {
                group = group << 8 | (place < count ? UInt32(bytes[at + place]) : 0)
            }
            for place in 0..<4 {
                let isFilled = place <= count
                out.append(isFilled ? digits[Int(group >> UInt32(18 - 6 * place)) & 63] : UInt8(ascii: "="))
            }
            at += 3
        }
    }
}
