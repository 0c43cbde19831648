// SPDX-License-Identifier: Apache-2.0

/// The eight severities of syslog (RFC 5424, section 6.2.1), most severe first.
public enum Severity: UInt8, CaseIterable, Comparable, Sendable {
    case emergency, alert, critical, error, warning, notice, informational, debug

    /// More severe is less, as in syslog's numbers.
    public static func < (left: Severity, right: Severity) -> Bool {
        left.rawValue < right.rawValue
    }

    /// The short name that syslog and journalctl use.
    public var name: String {
        switch self {
        case .emergency: "emerg"
        case .alert: "alert"
        case .critical: "crit"
        case .error: "err"
        case .warning: "warning"
        case .notice: "notice"
        case .informational: "info"
        case .debug: "debug"
        }
    }

    /// Parses a short or long name, a digit 0–7, or a name that logging libraries use, in any case; nil for other words.
    public init?(word: String) {
        switch word.lowercased() {
        case "0", "emerg", "emergency", "panic": self = .emergency
        case "1", "alert": self = .alert
        case "2", "crit", "critical", "fatal", "dpanic": self = .critical
        case "3", "err", "error", "erro", "eror", "severe": self = .error
        case "4", "warning", "warn": self = .warning
        case "5", "notice": self = .notice
        case "6", "info", "informational": self = .informational
        case "7", "debug", "debg", "trace", "trce", "verbose": self = .debug
        default: return nil
        }
    }
}
