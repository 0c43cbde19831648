// SPDX-License-Identifier: Apache-2.0

import SystemIO

/// A change of a domain.
enum DomainEvent: Hashable, Sendable {
    /// The domain was defined, started, ended, … or its metadata were changed.
    case changed(DomainUUID)
    /// Events were dropped: any domain may have changed.
    case lost
}

/// A read-only connection to libvirtd or virtqemud for querying domains and receiving their changes.
///
/// Used by one thread, which waits for a reply up to the time limit and for events as long as the caller specifies;
/// another thread may interrupt either. After an error the connection cannot be used any more, except after `refused`.
/// The connection is opened read-only, so it can change nothing.
final class LibvirtConnection {
    private let channel: MessageChannel
    private let timeout: Int64
    private let clock = SystemClock()
    private var serial: UInt32 = 0
    private var events: [DomainEvent] = []

    /// The default time limit for a reply, in microseconds.
    static let defaultTimeout: Int64 = 10_000_000
    /// Maximum number of undelivered events.
    static let maximumEvents = 4096

    /// Connects to the socket at `path` and registers for events of all domains, so that nothing is missed between a
    /// list and the first event.
    /// Every call takes `timeout` microseconds at most. Raising `interruption` ends it, and all later ones, with
    /// `interrupted`.
    convenience init(
        to path: String,
        interruption: Interruption,
        timeout: Int64 = defaultTimeout
    ) throws(LibvirtError) {
        let socket: Descriptor
        do throws(SystemError) {
            socket = try UnixSocket.connect(to: path)
        } catch {
            throw LibvirtError("connecting to libvirt", .socket(error))
        }
        try self.init(socket, interruption: interruption, timeout: timeout)
    }

    init(_ socket: consuming Descriptor, interruption: Interruption, timeout: Int64) throws(LibvirtError) {
        channel = MessageChannel(socket, interruption: interruption)
        self.timeout = timeout
        try authenticate()
        try open()
        try register()
    }

    // MARK: Calls

    func domains() throws(LibvirtError) -> [RemoteDomain] {
        var arguments = XDRWriter()
        // The list itself, not only its length; no filter.
        arguments.put(Int32(1))
        arguments.put(UInt32(0))
        return try call(.connectListAllDomains, "listing the domains", arguments) { reply throws(XDRReader.Malformed) in
            var domains: [RemoteDomain] = []
            for _ in 0..<(try reply.count(limit: RemoteProtocol.maximumDomains)) {
                domains.append(try reply.domain())
            }
            return domains
        }
    }

    /// A domain's current XML: for a running domain, the one it runs with. `refused` with `LibvirtError.noDomain` when
    /// it does not exist any more.
    func xml(of domain: RemoteDomain) throws(LibvirtError) -> [UInt8] {
        var arguments = XDRWriter()
        arguments.put(domain)
        // Without secrets.
        arguments.put(UInt32(0))
        let operation = "reading the XML of the domain \(domain.name)"
        return try call(.domainGetXMLDescription, operation, arguments) { reply throws(XDRReader.Malformed) in
            try reply.string(limit: RemoteProtocol.maximumString)
        }
    }

    private func authenticate() throws(LibvirtError) {
        let operation = "connecting to libvirt"
        let kinds = try call(.authList, operation, XDRWriter()) { reply throws(XDRReader.Malformed) in
            var kinds: [Int32] = []
            for _ in 0..<(try reply.count(limit: RemoteProtocol.maximumAuthentications)) {
                kinds.append(try reply.signed())
            }
            return kinds
        }
        guard !kinds.contains(RemoteProtocol.Authentication.none.rawValue) else {
            return
        }
        guard kinds.contains(RemoteProtocol.Authentication.polkit.rawValue) else {
            throw LibvirtError(operation, .authentication)
        }
        try call(.authPolkit, "asking libvirt for the permission to read", XDRWriter()) {
            reply throws(XDRReader.Malformed) in
            _ = try reply.signed()
        }
    }

    private func open() throws(LibvirtError) {
        var arguments = XDRWriter()
        arguments.put(optional: RemoteProtocol.uri)
        arguments.put(RemoteProtocol.readOnly)
        try call(.connectOpen, "opening \(RemoteProtocol.uri)", arguments) { _ in }
    }

    private func register() throws(LibvirtError) {
        try register(for: .lifecycle)
        do throws(LibvirtError) {
            try register(for: .metadataChange)
        } catch {
            // An old libvirt does not support it.
            guard case .refused = error.reason else {
                throw error
            }
        }
    }

    private func register(for event: RemoteProtocol.EventID) throws(LibvirtError) {
        var arguments = XDRWriter()
        arguments.put(event.rawValue)
        // For all domains.
        arguments.put(UInt32(0))
        try call(.connectDomainEventCallbackRegisterAny, "registering for events", arguments) {
            reply throws(XDRReader.Malformed) in
            _ = try reply.signed()
        }
    }

    private func call<Value>(
        _ procedure: RemoteProtocol.Procedure,
        _ operation: String,
        _ arguments: XDRWriter,
        _ decode: (inout XDRReader) throws(XDRReader.Malformed) -> Value
    ) throws(LibvirtError) -> Value {
        do throws(LibvirtError.Reason) {
            var reply = try answer(to: procedure, arguments)
            do throws(XDRReader.Malformed) {
                return try decode(&reply)
            } catch {
                throw .malformed
            }
        } catch {
            throw LibvirtError(operation, error)
        }
    }

    private func answer(
        to procedure: RemoteProtocol.Procedure,
        _ arguments: XDRWriter
    ) throws(LibvirtError.Reason) -> XDRReader {
        let deadline = clock.monotonicMicroseconds() + timeout
        serial &+= 1
        let header = MessageHeader(
            program: RemoteProtocol.program,
            version: MessageHeader.version,
            procedure: procedure.rawValue,
            kind: MessageHeader.Kind.call.rawValue,
            serial: serial,
            status: MessageHeader.Status.ok.rawValue
        )
        try channel.send(header.message(arguments.bytes), before: deadline)
        while clock.monotonicMicroseconds() < deadline, let message = try channel.receive(before: deadline) {
            guard message.header.kind == MessageHeader.Kind.reply.rawValue, message.header.serial == serial else {
                try take(message)
                continue
            }
            guard message.header.program == RemoteProtocol.program, message.header.procedure == procedure.rawValue
            else {
                throw .malformed
            }
            guard message.header.status == MessageHeader.Status.ok.rawValue else {
                throw .refusal(message.body)
            }
            return message.body
        }
        throw .timedOut
    }

    // MARK: Events

    /// The next event; nil when there is none within that many microseconds. With 0: only one that was received
    /// already.
    func nextEvent(microseconds: Int64) throws(LibvirtError) -> DomainEvent? {
        let deadline = clock.monotonicMicroseconds() + microseconds
        do throws(LibvirtError.Reason) {
            while events.isEmpty {
                guard let message = try channel.receive(before: deadline) else {
                    return nil
                }
                try take(message)
                if events.isEmpty, clock.monotonicMicroseconds() >= deadline {
                    return nil
                }
            }
            return events.removeFirst()
        } catch {
            throw LibvirtError("waiting for libvirt's events", error)
        }
    }

    /// Handles an unsolicited message. Messages of other protocols are ignored, as in libvirt.
    private func take(_ message: Message) throws(LibvirtError.Reason) {
        let header = message.header
        guard header.kind == MessageHeader.Kind.message.rawValue, header.version == MessageHeader.version else {
            return
        }
        switch header.program {
        case MessageHeader.keepAlive where header.procedure == MessageHeader.ping:
            let pong = header.answer(.message, procedure: MessageHeader.pong).message()
            try channel.send(pong, before: clock.monotonicMicroseconds() + timeout)
        case RemoteProtocol.program where RemoteProtocol.EventMessage(rawValue: header.procedure) != nil:
            try takeEvent(message.body)
        default:
            break
        }
    }

    /// All registered events begin with the number of the registration and the domain.
    private func takeEvent(_ body: XDRReader) throws(LibvirtError.Reason) {
        var body = body
        do throws(XDRReader.Malformed) {
            _ = try body.signed()
            let domain = try body.domain()
            if events.count < Self.maximumEvents {
                events.append(.changed(domain.uuid))
            } else {
                events = [.lost]
            }
        } catch {
            throw .malformed
        }
    }
}
