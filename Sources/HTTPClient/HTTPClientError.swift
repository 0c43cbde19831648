// SPDX-License-Identifier: Apache-2.0

/// Why there is no response, or no whole one.
public struct HTTPClientError: Error, Hashable, Sendable, CustomStringConvertible {
    public enum Kind: Hashable, Sendable {
        /// The server, or the proxy, could not be reached.
        case unreachable
        /// The server closed the connection before the response ended.
        case closed
        /// A time limit passed.
        case timeout
        /// What the server, or the proxy, sent is not valid HTTP.
        case protocolViolation
        /// The response is larger than allowed.
        case tooLarge
        /// The TLS handshake failed, or the settings for TLS cannot be used.
        case tls
    }

    public var kind: Kind
    public var description: String

    public init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }
}
