// SPDX-License-Identifier: Apache-2.0

/// Options of the OpenStack part of the API.
public struct NovaOptions: Hashable, Sendable {
    /// The base URL of serial consoles, without `?token=`; nil: the base URL of the request.
    public var consoleURL: String?
    /// How long a serial console's URL is valid, in microseconds.
    public var consoleLife: Int64 = 600_000_000
    /// The rules for console output.
    public var output = NovaOutputRules.corrected

    /// The defaults; the lifetime is that of nova's own tokens.
    public init() {}
}

/// The rules for console output.
public enum NovaOutputRules: String, CaseIterable, Sendable {
    /// N lines are the last N, and -1 is all; UTF-8 is kept; escape sequences are removed whole; lost bytes are marked.
    case corrected = "sound"
    /// nova's own rules, oddities included: of N lines the last may be the empty one behind the last LF, -1 is all but
    /// the first, each byte that is not ASCII becomes U+FFFD, control characters are removed but not the rest of their
    /// sequences, at most 100 KiB.
    case nova
}
