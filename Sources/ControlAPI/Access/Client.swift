import Glibc

/// Who holds a connection, as far as is known: what limits are counted by.
enum Client: Hashable, Sendable {
    /// A user of this host; nil where the kernel could not tell which.
    case user(UInt32?)
    /// Whoever holds the token of that id.
    case token(String)
    /// Whoever needs no token, on the loopback.
    case anonymous
    /// A network address that has shown no valid token yet; of IPv6 the first 64 bits, which one host may have alone.
    case address([UInt8])

    /// The client at the IP address `text`, which has shown no token.
    init(at text: String?) {
        let text = text ?? ""
        var six = [UInt8](repeating: 0, count: 16)
        if inet_pton(AF_INET6, text, &six) == 1 {
            self = .address(Array(six.prefix(8)))
        } else {
            self = .address(Array(text.utf8))
        }
    }
}
