// SPDX-License-Identifier: Apache-2.0

import LogModel
import NIOHTTP1

/// A microversion of the Compute API (API guide, "Microversions").
struct NovaVersion: Comparable {
    let minor: Int

    /// The first component of the API's paths.
    static let path = "v2.1"

    static let oldest = NovaVersion(minor: 1)
    static let newest = NovaVersion(minor: 31)
    /// From here on consoles are requested at `remote-consoles` instead of by an action.
    static let remoteConsoles = NovaVersion(minor: 6)
    /// From here on the tokens of all kinds of consoles can be looked up.
    static let consoleTokens = NovaVersion(minor: 31)

    static func < (left: NovaVersion, right: NovaVersion) -> Bool { left.minor < right.minor }

    var text: String { "2.\(minor)" }

    init(minor: Int) {
        self.minor = minor
    }

    /// The version that a request names; the oldest when it names none.
    init(_ headers: HTTPHeaders) throws(APIError) {
        let named = headers["OpenStack-API-Version"].flatMap { $0.split(separator: ",") }
            .map { $0.split(separator: " ") }.first { $0.first == "compute" }
        let word = named.map { $0.dropFirst().joined(separator: " ") } ?? headers.first(name: Self.legacyHeader)
        switch word {
        case nil:
            self = .oldest
        case "latest":
            self = .newest
        case let word?:
            let parts = word.split(separator: ".", omittingEmptySubsequences: false)
            guard parts.count == 2, let major = Int(parts[0]), let minor = Int(parts[1]), major > 0, minor >= 0 else {
                throw .badRequest(
                    "API Version String \(word) is of invalid format. Must be of format MajorNum.MinorNum."
                )
            }
            guard major == 2, (Self.oldest.minor...Self.newest.minor).contains(minor) else {
                throw APIError(
                    406,
                    "Version \(word) is not supported by the API. Minimum is \(Self.oldest.text) and maximum is "
                        + "\(Self.newest.text)."
                )
            }
            self.minor = minor
        }
    }

    private static let legacyHeader = "X-OpenStack-Nova-API-Version"

    /// The response's header fields for its version.
    var headers: [(String, String)] {
        [
            ("OpenStack-API-Version", "compute " + text), (Self.legacyHeader, text),
            ("Vary", "OpenStack-API-Version, " + Self.legacyHeader),
        ]
    }

    // MARK: - Documents

    /// The document of all versions, at `/`.
    static func all(_ base: String) -> JSON {
        .object([("versions", .array([facts(base)]))])
    }

    /// The document of the one version, at its own path.
    static func document(_ base: String) -> JSON {
        .object([("version", facts(base))])
    }

    private static func facts(_ base: String) -> JSON {
        .object([
            ("id", .string(path)), ("status", .string("CURRENT")), ("version", .string(newest.text)),
            ("min_version", .string(oldest.text)), ("updated", .string("2013-07-23T11:33:21Z")),
            ("links", .array([link("self", base + "/" + path + "/")])),
        ])
    }

    static func link(_ relation: String, _ address: String) -> JSON {
        .object([("rel", .string(relation)), ("href", .string(address))])
    }
}
