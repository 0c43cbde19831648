/// A serial port of a domain, or a console that is a device of its own.
public struct SerialPort: Hashable, Sendable {
    /// What it is to the guest.
    public enum Kind: Hashable, Sendable {
        /// A serial device: `<serial>`.
        case serial
        /// A console that stands for no serial device: virtio's, s390x's SCLP, a container's.
        case console
    }

    /// Where its other end is on the host.
    public enum Source: Hashable, Sendable {
        /// The VMM listens here for TCP connections and sends what the guest says as it is.
        case tcpListener(host: String, port: UInt16)
        /// The VMM listens on this Unix socket.
        case unixListener(path: String)
        /// A pseudo-terminal, whose path is known while the domain runs.
        case pseudoTerminal(path: String?)
        /// Anything else, by libvirt's word for its type.
        case other(type: String)
    }

    /// What it is to the guest.
    public var kind: Kind
    /// Its number among those of its kind, as `0` for `ttyS0`; nil where the XML does not say.
    public var port: Int?
    /// Where its other end is.
    public var source: Source
    /// The file that libvirt's log daemon keeps of what the guest says, if it keeps one.
    public var logFile: String?

    /// A port from its parts.
    public init(kind: Kind, port: Int?, source: Source, logFile: String?) {
        self.kind = kind
        self.port = port
        self.source = source
        self.logFile = logFile
    }

    /// All of a domain's: first its serial devices, then its consoles but for the one that libvirt shows of the first
    /// serial device.
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
        // What libvirt takes a device without a type for.
        let type = device.attribute("type")?.value ?? "pty"
        switch type {
        case "tcp":
            // Telnet's control bytes and TLS are not what the guest says.
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
    /// Whether a `<console>` stands for a serial device: its target is of type `serial`, or of none.
    func isSerial(console: XMLElement) -> Bool {
        let type = children(of: console, named: "target").first?.attribute("type")?.value
        return type == nil || type == "serial"
    }
}
