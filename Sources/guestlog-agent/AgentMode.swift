// SPDX-License-Identifier: Apache-2.0

/// How the agent gets what programs log: chosen from what it finds.
enum AgentMode: Equatable, CustomStringConvertible {
    /// It follows the journal of this boot.
    case journal
    /// It is the machine's syslog daemon, on this socket.
    case daemon(path: String)
    /// It gets what systemd-journald forwards to the syslog daemon (ForwardToSyslog= in journald.conf(5)).
    case forwarded(path: String)
    /// It gets none, because another program serves the socket.
    case occupied(path: String)
    /// It is told to leave syslog alone.
    case off

    /// What the agent finds.
    struct DetectedServices: Equatable {
        /// Whether systemd-journald runs: it owns /dev/log then.
        var hasJournal: Bool
        /// Whether journalctl can read the journal.
        var canReadJournal: Bool
        /// Whether a program serves the socket at a path.
        var isServed: (String) -> Bool

        static func == (left: DetectedServices, right: DetectedServices) -> Bool {
            (left.hasJournal, left.canReadJournal) == (right.hasJournal, right.canReadJournal)
        }
    }

    static let defaultSocket = "/dev/log"
    static let journalSocket = "/run/systemd/journal/syslog"

    init(requested: String?, _ services: DetectedServices) {
        if requested == "none" {
            self = .off
            return
        }
        if requested == nil, services.hasJournal, services.canReadJournal {
            self = .journal
            return
        }
        let path = requested ?? (services.hasJournal ? Self.journalSocket : Self.defaultSocket)
        if services.isServed(path) {
            self = .occupied(path: path)
        } else {
            self = path == Self.journalSocket ? .forwarded(path: path) : .daemon(path: path)
        }
    }

    /// The socket to serve; nil: none.
    var path: String? {
        switch self {
        case .daemon(let path), .forwarded(let path): path
        case .journal, .occupied, .off: nil
        }
    }

    var description: String {
        switch self {
        case .journal: "this boot's journal"
        case .daemon(let path): "syslog daemon on \(path)"
        case .forwarded(let path): "what systemd-journald forwards to \(path) (ForwardToSyslog=yes)"
        case .occupied(let path):
            "no syslog: another program serves \(path); stop it, or have it forward to another --syslog-socket"
        case .off: "no syslog"
        }
    }
}
