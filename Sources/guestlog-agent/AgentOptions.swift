// SPDX-License-Identifier: Apache-2.0

import SystemIO

/// The agent's command line.
struct AgentOptions: Equatable {
    /// Where the collector is.
    enum Target: Equatable, CustomStringConvertible {
        case vsock(context: UInt32, port: UInt32)
        case unix(path: String)
        /// A virtio-serial port, whose other end the host connects.
        case serial(path: String)

        /// Parses `vsock:CID:PORT`, `unix:PATH` or `serial:PATH`; nil if the text is not a destination.
        init?(_ text: String) {
            let parts = text.split(separator: ":", maxSplits: 1).map(String.init)
            guard parts.count == 2 else {
                return nil
            }
            switch parts[0] {
            case "vsock":
                let numbers = parts[1].split(separator: ":").map { UInt32($0) }
                guard numbers.count == 2, let context = numbers[0], let port = numbers[1] else {
                    return nil
                }
                self = .vsock(context: context, port: port)
            case "unix" where parts[1].hasPrefix("/"): self = .unix(path: parts[1])
            case "serial" where parts[1].hasPrefix("/"): self = .serial(path: parts[1])
            default: return nil
            }
        }

        var description: String {
            switch self {
            case .vsock(let context, let port): "vsock:\(context):\(port)"
            case .unix(let path): "unix:\(path)"
            case .serial(let path): "serial:\(path)"
            }
        }
    }

    /// The protocol that the host speaks.
    enum WireProtocol: String, CaseIterable {
        case guestlog
        /// `vm_tools.LogCollector`.
        case chromeOS = "chromeos"
    }

    var wireProtocol = WireProtocol.guestlog
    var target = Target.vsock(context: VsockSocket.host, port: 9999)
    /// The syslog socket to serve; nil: chosen by `AgentMode`.
    var syslogSocket: String?
    var readsKernel = true
    var spool = 4 << 20
    /// The folder for the positions in the kernel's log and in the journal.
    var stateFolder = "/run/guestlog-agent"
    /// The user and group as which the agent runs when everything is open; nil: unchanged.
    var user: String?
    var isHelpRequested = false

    static let usage = """
        usage: guestlog-agent [OPTION...]
        Sends the kernel's log, and the journal or syslog messages, of this machine to the guestlog collector of its host.

          --to TARGET            where the collector is: vsock:CID:PORT, unix:PATH or serial:PATH
                                 (default: vsock:2:9999)
          --protocol PROTOCOL    guestlog, or chromeos for a host with ChromeOS's vmlog_forwarder, or another
                                 vm_tools.LogCollector (default: guestlog)
          --syslog-socket PATH   serve this syslog socket, and leave the journal alone; none: neither
                                 (default: the journal, where journalctl can read it; the socket to which
                                 systemd-journald forwards; or /dev/log if no other program serves it)
          --no-kernel            leave the kernel's log alone
          --spool SIZE           memory for what the host has not stored yet, in bytes, or with K or M
                                 (default: 4M, from 64K to 1024M)
          --state FOLDER         where the positions in the kernel's log and the journal are kept
                                 (default: /run/guestlog-agent)
          --user USER            run as this user, with the user's groups, once everything is open; they are
                                 looked up in /etc/passwd and /etc/group
          --help, --version
        """

    init() {}

    /// Parses the arguments after the program's name.
    init(_ arguments: [String]) throws(UsageError) {
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            func value() throws(UsageError) -> String {
                if parts.count == 2 {
                    return parts[1]
                }
                guard let next = rest.popFirst() else {
                    throw UsageError("\(argument) requires a value")
                }
                return next
            }
            switch parts[0] {
            case "--to":
                let text = try value()
                guard let target = Target(text) else {
                    throw UsageError("--to \(text): use vsock:CID:PORT, unix:PATH or serial:PATH")
                }
                self.target = target
            case "--protocol":
                let text = try value()
                guard let wireProtocol = WireProtocol(rawValue: text) else {
                    throw UsageError("--protocol \(text): use guestlog or chromeos")
                }
                self.wireProtocol = wireProtocol
            case "--syslog-socket": syslogSocket = try value()
            case "--no-kernel": readsKernel = false
            case "--spool": spool = try Self.size(try value())
            case "--state": stateFolder = try value()
            case "--user": user = try value()
            case "--help", "-h": isHelpRequested = true
            default: throw UsageError("unknown option \(argument); guestlog-agent --help lists the options")
            }
        }
        if let path = syslogSocket, path != "none", !path.hasPrefix("/") {
            throw UsageError("--syslog-socket \(path): use a path that begins with /, or none")
        }
    }

    private static func size(_ text: String) throws(UsageError) -> Int {
        let units = ["K": 1 << 10, "M": 1 << 20]
        let unit = units[text.suffix(1).uppercased()]
        let range = (64 << 10)...(1 << 30)
        guard let number = Int(unit == nil ? text[...] : text.dropLast()),
            case let (size, overflow) = number.multipliedReportingOverflow(by: unit ?? 1), !overflow,
            range.contains(size)
        else {
            throw UsageError("--spool \(text): use 64K to 1024M")
        }
        return size
    }
}

/// A wrong command line.
struct UsageError: Error, Equatable, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}
