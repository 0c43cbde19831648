// SPDX-License-Identifier: Apache-2.0

import HTTPClient
import LogModel
import TextFormats

/// The handshake of the Forward protocol with a shared key (version 1, "Handshake messages"): the server says HELO, the
/// client proves that it knows the key with PING, the server with PONG. Without I/O.
struct ForwardHandshake {
    let sharedKey: [UInt8]
    let user: String?
    let password: [UInt8]?
    let hostName: String
    /// Random, of this connection.
    let salt: [UInt8]
    private var nonce: [UInt8] = []

    init(_ settings: ForwardSettings, sharedKey: [UInt8], salt: [UInt8]) {
        self.sharedKey = sharedKey
        user = settings.user
        password = settings.password
        hostName = settings.hostName
        self.salt = salt
    }

    /// The PING for the server's HELO.
    mutating func ping(answering helo: MessagePackValue) throws(HTTPClientError) -> [UInt8] {
        guard case .array(let parts) = helo, parts.count == 2, parts[0].text == "HELO" else {
            throw HTTPClientError(.protocolViolation, "the server did not begin with HELO")
        }
        if case .bytes(let bytes)? = parts[1]["nonce"] {
            nonce = Array(bytes)
        }
        var authSalt: [UInt8] = []
        if case .bytes(let bytes)? = parts[1]["auth"] {
            authSalt = Array(bytes)
        }
        let digest = SHA512.hexadecimal(salt + Array(hostName.utf8) + nonce + sharedKey)
        var passwordDigest = ""
        if !authSalt.isEmpty {
            guard let user, let password else {
                throw HTTPClientError(.unreachable, "the server asks for a user; set user and password")
            }
            passwordDigest = SHA512.hexadecimal(authSalt + Array(user.utf8) + password)
        }
        var ping: [UInt8] = []
        MessagePackWriter.append(arrayOf: 6, to: &ping)
        MessagePackWriter.append(string: "PING", to: &ping)
        MessagePackWriter.append(string: hostName, to: &ping)
        MessagePackWriter.append(binary: salt, to: &ping)
        MessagePackWriter.append(string: digest, to: &ping)
        MessagePackWriter.append(string: authSalt.isEmpty ? "" : user ?? "", to: &ping)
        MessagePackWriter.append(string: passwordDigest, to: &ping)
        return ping
    }

    /// Throws unless the server's PONG proves that it knows the key.
    func check(_ pong: MessagePackValue) throws(HTTPClientError) {
        guard case .array(let parts) = pong, parts.count == 5, parts[0].text == "PONG" else {
            throw HTTPClientError(.protocolViolation, "the server did not answer with PONG")
        }
        guard parts[1] == .bool(true) else {
            throw HTTPClientError(.unreachable, "the server refuses the connection: \(parts[2].text ?? "")")
        }
        var name: [UInt8] = []
        if case .bytes(let bytes) = parts[3] {
            name = Array(bytes)
        }
        let expected = SHA512.hexadecimal(salt + name + nonce + sharedKey)
        guard parts[4].text == expected else {
            throw HTTPClientError(.unreachable, "the server does not know the shared key")
        }
        guard name != Array(hostName.utf8) else {
            throw HTTPClientError(
                .unreachable,
                "the server has this client's name, \(hostName); set another hostname for this output"
            )
        }
    }
}
