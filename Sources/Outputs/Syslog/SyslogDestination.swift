// SPDX-License-Identifier: Apache-2.0

public import HTTPClient
import LogModel

/// The settings of a syslog output.
public struct SyslogSettings: Hashable, Sendable {
    public enum Transport: Hashable, Sendable {
        /// A datagram per message to a Unix socket, such as /dev/log.
        case unix(String)
        /// A datagram per message over UDP (RFC 5426).
        case udp(NetworkPeer)
        /// Octet counting over TCP (RFC 6587, section 3.4.1), over TLS with settings for it (RFC 5425).
        case tcp(NetworkPeer, tls: TLSClientSettings?)
        /// RELP, the only one whose messages are acknowledged.
        case relp(NetworkPeer, tls: TLSClientSettings?)
    }

    public var transport: Transport
    public var format: SyslogFormat
    /// 0 to 23.
    public var facility: UInt8 = SyslogWriter.userFacility

    public init(_ transport: Transport, format: SyslogFormat) {
        self.transport = transport
        self.format = format
    }

    /// The most severe that a message can be. This host's daemon writes an emergency on every terminal, and a guest's is
    /// none of the host.
    var ceiling: Severity {
        if case .unix = transport { .critical } else { .emergency }
    }

    /// The destination for people.
    var summary: String {
        switch transport {
        case .unix(let path): "syslog at \(path)"
        case .udp(let peer): "syslog at udp://\(peer)"
        case .tcp(let peer, let tls): "syslog at \(tls == nil ? "tcp" : "tls")://\(peer)"
        case .relp(let peer, let tls): "syslog at relp\(tls == nil ? "" : "+tls")://\(peer)"
        }
    }
}

/// Sends records to a syslog daemon.
struct SyslogDestination: OutputDestination {
    private let writer: SyslogWriter
    private let link: any SyslogLink

    init(_ settings: SyslogSettings, writer: SyslogWriter? = nil) {
        self.writer = writer ?? SyslogWriter(settings.format, facility: settings.facility, ceiling: settings.ceiling)
        switch settings.transport {
        case .unix(let path): link = DatagramLink(.unix(path))
        case .udp(let peer): link = DatagramLink(.udp(peer))
        case .tcp(let peer, let tls): link = StreamLink(peer, tls: tls)
        case .relp(let peer, let tls): link = RELPLink(peer, tls: tls)
        }
    }

    func encode(_ record: OutputRecord, to out: inout [UInt8]) {
        writer.append(record, to: &out)
    }

    func send(_ items: [Int], of batch: OutputBatch) async -> SendResult {
        await link.send(items, of: batch)
    }

    func close() async {
        await link.close()
    }
}

/// A way to a syslog daemon.
protocol SyslogLink: Sendable {
    func send(_ items: [Int], of batch: OutputBatch) async -> SendResult
    func close() async
}
