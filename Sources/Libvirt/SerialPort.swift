// SPDX-License-Identifier: Apache-2.0

/// A serial port of a domain, or a console that is a device of its own.
public struct SerialPort: Hashable, Sendable {
    /// The device in the guest.
    public enum Kind: Hashable, Sendable {
        /// A serial device: `<serial>`.
        case serial
        /// A console that represents no serial device: virtio's, s390x's SCLP, a container's.
        case console
    }

    /// The other end, on the host.
    public enum Source: Hashable, Sendable {
        /// The VMM listens here for TCP connections without a protocol.
        case tcpListener(host: String, port: UInt16)
        /// The VMM listens on this Unix socket.
        case unixListener(path: String)
        /// A pseudo-terminal, whose path is known while the domain runs.
        case pseudoTerminal(path: String?)
        /// Anything else, with libvirt's type.
        case other(type: String)
    }

    public var kind: Kind
    /// Its number among those of its kind, such as `0` for `ttyS0`; nil when the XML has none.
    public var port: Int?
    public var source: Source
    /// The file that libvirt's log daemon writes, if any.
    public var logFile: String?

    public init(kind: Kind, port: Int?, source: Source, logFile: String?) {
        self.kind = kind
        self.port = port
        self.source = source
        self.logFile = logFile
    }

    /// All ports of a domain: its serial devices, then its consoles. A console that represents a serial device is left
    /// out if the domain lists serial devices: libvirt writes it for the first of them, and accepts no other.
    static func all(of document: XMLDocument) -> [SerialPort] {
        let devices = document.children(of: document.root, named: "devices")
        let serials = devices.flatMap { document.children(of: $0, named: "serial") }
        let consoles = devices.flatMap { document.children(of: $0, named: "console") }
        let own = consoles.filter { serials.isEmpty || !document.isSerial(console: $0) }
        return serials.map { SerialPort(document, $0, .serial) }
            + own.map { SerialPort(document, $0, document.isSerial(console: $0) ? .serial : .console) }
    }

    private init(_ document: XMLDocument, _ device: XMLElement, _ kind: Kind) {
        func value(_ child: String, _ attribute: String) -> String? {
            document.children(of: device, named: child).first?.attribute(attribute)?.value
        }
        self.kind = kind
        port = value("target", "port").flatMap { Int($0) }
        logFile = value("log", "file")
        // libvirt's default for a device without a type.
        let type = device.attribute("type")?.value ?? "pty"
        switch type {
        case "tcp":
            // Telnet's control bytes and TLS are not the guest's output.
            let isPlain = value("protocol", "type") ?? "raw" == "raw" && value("source", "tls") ?? "no" == "no"
            if isPlain, value("source", "mode") == "bind", let host = value("source", "host"),
                let port = value("source", "service").flatMap({ UInt16($0) }), port > 0
            {
                source = .tcpListener(host: host, port: port)
            } else {
                source = .other(type: type)
            }
        case "unix":
            if value("source", "mode") == "bind", let path = value("source", "path") {
                source = .unixListener(path: path)
            } else {
                source = .other(type: type)
            }
        case "pty":
            source = .pseudoTerminal(path: value("source", "path") ?? device.attribute("tty")?.value)
        default:
            source = .other(type: type)
        }
    }
}

extension XMLDocument {
    /// Whether a `<console>` represents a serial device: its target is of type `serial`, or absent.
    func isSerial(console: XMLElement) -> Bool {
        let type = children(of: console, named: "target").first?.attribute("type")?.value
        return type == nil || type == "serial"
    }
}
