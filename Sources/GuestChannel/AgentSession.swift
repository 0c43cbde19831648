// SPDX-License-Identifier: Apache-2.0

/// The agent's end of the channel: a state machine without I/O and without a clock. Times are monotonic microseconds.
///
/// It speaks the protocol of docs/guest_channel.proto. Records are added at any time. Frames to send are taken with `nextFrame` while the connection accepts them. A record
/// leaves the spool when it is acknowledged.
public struct AgentSession: AgentChannel {
    public enum State: Hashable, Sendable {
        case disconnected
        /// A hello was sent at that time, and no welcome came yet.
        case greeting(since: Int64)
        case established
    }

    public private(set) var state = State.disconnected
    public private(set) var spool: Spool
    private var session: SessionID
    private let newSession: @Sendable () -> SessionID
    private let program: String
    private let boot: [UInt8]
    /// The highest number that the collector has acknowledged in this session.
    private var acknowledged: UInt64 = 0
    /// The highest number that was sent in this session, on any connection.
    private var sent: UInt64 = 0
    /// The next number to send on this connection.
    private var cursor: UInt64 = 1
    private var helloIsPending = false
    private var decoder = FrameDecoder(resynchronizes: true)
    /// When the collector last gave a sign of life, or became overdue to: nil while nothing is unacknowledged.
    private var waitingSince: Int64?
    /// When the oldest record that was not sent was added; nil when there is none.
    private var unsentSince: Int64?
    private var unsentBytes = 0

    /// Without a sign of life for so long the connection is taken for dead, though it looks alive: after a snapshot or a
    /// migration of the VM, writes can succeed into nothing.
    public static let acknowledgementLimit: Int64 = 15_000_000
    /// A batch is sent when it has so many bytes, or its first record has waited so long.
    static let batchSize = 32 << 10
    static let batchDelay: Int64 = 50_000
    /// Maximum number of records that are on their way.
    static let window: UInt64 = 16_384

    /// A session whose records take `spoolLimit` bytes at most. `newSession` returns a random id at each call.
    public init(
        spoolLimit: Int,
        program: String,
        boot: [UInt8] = [],
        newSession: @escaping @Sendable () -> SessionID
    ) {
        spool = Spool(limit: spoolLimit)
        session = newSession()
        self.newSession = newSession
        self.program = program
        self.boot = boot
    }

    // MARK: - Events

    public mutating func append(_ record: GuestRecord, at now: Int64) {
        let before = spool.size
        spool.append(record)
        unsentBytes += max(0, spool.size - before)
        unsentSince = unsentSince ?? now
        cursor = max(cursor, spool.first)
    }

    public mutating func connected(at now: Int64) {
        decoder = FrameDecoder(resynchronizes: true)
        begin(at: now)
    }

    public mutating func disconnected() {
        state = .disconnected
        helloIsPending = false
        waitingSince = nil
    }

    private mutating func begin(at now: Int64) {
        state = .greeting(since: now)
        helloIsPending = true
        waitingSince = now
    }

    public var isEstablished: Bool { state == .established }

    public mutating func receive(_ bytes: [UInt8], at now: Int64) -> ChannelAction {
        bytes.withUnsafeBytes { decoder.append($0) }
        var action = ChannelAction.none
        do throws(GuestChannelError) {
            // Messages of the collector contain no frames, so one in an incomplete frame is of another collector.
            repeat {
                while let payload = try decoder.next() {
                    let next = receive(try CollectorMessage(decoding: payload), at: now)
                    if case .reconnect = next {
                        return next
                    }
                    action = next == .none ? action : next
                }
            } while decoder.expire()
        } catch {
            return .reconnect("\(error)")
        }
        return action
    }

    /// The collector sent a message.
    mutating func receive(_ message: CollectorMessage, at now: Int64) -> ChannelAction {
        switch (message, state) {
        case (.greeting(let version), _) where version != GuestChannelVersion.current:
            return .reconnect("the collector speaks version \(version) of the protocol; update it or the agent")
        case (.greeting, .established):
            // Another collector has taken the connection over.
            begin(at: now)
            return .send
        case (.welcome(let session, let sequence, let check), .greeting) where session == self.session:
            return welcome(sequence, check, at: now)
        case (.acknowledgement(let sequence), .established) where sequence <= sent:
            acknowledge(sequence)
            waitingSince = cursor > acknowledged + 1 ? now : nil
            return .none
        case (.refusal(let reason), _):
            return .reconnect("the collector refuses: \(reason)")
        case (.greeting, _), (.welcome, _), (.acknowledgement, _):
            // Of a conversation before this one.
            return .none
        }
    }

    private mutating func welcome(_ sequence: UInt64, _ check: UInt32?, at now: Int64) -> ChannelAction {
        state = .established
        waitingSince = nil
        if sequence > sent || isOther(sequence, check) {
            // The collector has records that this agent never sent: the VM was set back to an earlier snapshot. They
            // are other records under the same numbers. What was written since may not have arrived, so all that is
            // not known to be stored is sent again.
            restart()
            begin(at: now)
            return .send
        }
        acknowledge(sequence)
        cursor = spool.first
        unsentBytes = spool.size
        unsentSince = spool.isEmpty ? nil : now
        return .none
    }

    /// Whether the record of that number is another one than that with `check`, which the collector has.
    private func isOther(_ sequence: UInt64, _ check: UInt32?) -> Bool {
        guard let check, let encoded = spool[sequence] else {
            return false
        }
        let record = encoded.withUnsafeBytes { try? GuestRecord(decoding: $0) }
        return record.map { $0.check != check } ?? false
    }

    private mutating func restart() {
        session = newSession()
        (acknowledged, sent, cursor) = (0, 0, 1)
        spool.renumber()
    }

    private mutating func acknowledge(_ sequence: UInt64) {
        acknowledged = max(acknowledged, sequence)
        spool.acknowledge(sequence)
        cursor = max(cursor, spool.first)
    }

    public mutating func check(at now: Int64) -> ChannelAction {
        if let waitingSince, now - waitingSince >= Self.acknowledgementLimit {
            return .reconnect("no acknowledgement for \(Self.acknowledgementLimit / 1_000_000) s")
        }
        return .none
    }

    // MARK: - Sending

    public var sendTime: Int64? {
        guard helloIsPending == false else {
            return .min
        }
        guard state == .established, cursor < spool.next, cursor - spool.first < Self.window else {
            return nil
        }
        return unsentBytes >= Self.batchSize ? .min : (unsentSince ?? 0) + Self.batchDelay
    }

    public var checkTime: Int64? { waitingSince.map { $0 + Self.acknowledgementLimit } }

    public mutating func nextFrame(at now: Int64, isFlushing: Bool = false) -> [UInt8]? {
        var out: [UInt8] = []
        if helloIsPending {
            helloIsPending = false
            let hello = AgentMessage.Hello(session: session, acknowledged: acknowledged, program: program, boot: boot)
            GuestFrame.append(AgentMessage.hello(hello).encoded, to: &out)
            return out
        }
        guard state == .established, let sendTime, isFlushing || sendTime <= now else {
            return nil
        }
        var batch: [[UInt8]] = []
        var size = 0
        while size < Self.batchSize, batch.count < AgentMessage.recordLimit, let record = spool[cursor] {
            guard cursor - spool.first < Self.window else {
                break
            }
            batch.append(record)
            size += record.count + Spool.overhead
            cursor += 1
        }
        guard !batch.isEmpty else {
            return nil
        }
        sent = max(sent, cursor - 1)
        waitingSince = waitingSince ?? now
        unsentBytes = max(0, unsentBytes - size)
        unsentSince = cursor < spool.next ? now : nil
        GuestFrame.append(AgentMessage.encode(batch), to: &out)
        return out
    }
}
