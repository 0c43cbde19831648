// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The client of a connection: limits are counted for each.
enum Client: Hashable, Sendable {
    /// A user of this host; nil where the kernel does not report it.
    case user(UInt32?)
    /// The holder of the token of that id.
    case token(String)
    /// A client without a token, on the loopback.
    case anonymous
    /// A network address that has not presented a valid token; of IPv6 the first 64 bits, which one host may have
    /// alone.
    case address([UInt8])

    /// The client at the IP address `text`, which has presented no token.
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
