// SPDX-License-Identifier: Apache-2.0

import LogModel
import TextFormats

/// The agent's end of ChromeOS's `vm_tools.LogCollector`: unary gRPC calls with records of the kernel or of programs, one
/// call at a time. A record leaves the spool when its call has succeeded.
///
/// The protocol has neither numbers nor losses: a call whose answer is lost is made again, so its records may be stored
/// twice, and a loss is a record of its own.
public struct LogCollectorSession: AgentChannel {
    private enum Method: UInt8 {
        case kernel = 0
        case user = 1

        var path: String {
            switch self {
            case .kernel: "/vm_tools.LogCollector/CollectKernelLogs"
            case .user: "/vm_tools.LogCollector/CollectUserLogs"
            }
        }
    }

    /// The records' encoded forms, each after the byte of its method.
    public private(set) var spool: Spool
    public private(set) var isEstablished = false
    private var client: UnaryClient?
    /// The call that was made, the number of its last record, and the losses that are reported when it has succeeded.
    private var current: (method: Method, last: UInt64, dropped: UInt64)?
    private var waitingSince: Int64?
    /// When the oldest waiting record was added; nil when no record waits.
    private var oldestSince: Int64?
    /// Losses that were reported.
    private var reported: UInt64 = 0
    /// Whether the host takes no records of the kernel.
    private var refusesKernel = false

    private static let unimplemented = 12
    /// Statuses of a request that will never be accepted: INVALID_ARGUMENT, RESOURCE_EXHAUSTED.
    private static let rejections = [3, 8]

    /// A session whose records take `spoolLimit` bytes at most.
    public init(spoolLimit: Int) {
        spool = Spool(limit: spoolLimit)
    }

    // MARK: - Events

    public mutating func append(_ record: GuestRecord, at now: Int64) {
        let method = record.source == .kernel ? Method.kernel : .user
        guard method == .user || !refusesKernel else {
            return
        }
        spool.append(encoded: [method.rawValue] + record.plain.encoded)
        oldestSince = oldestSince ?? now
    }

    public mutating func connected(at now: Int64) {
        client = UnaryClient()
        (current, waitingSince, isEstablished) = (nil, nil, false)
    }

    public mutating func disconnected() {
        client = nil
        (current, waitingSince, isEstablished) = (nil, nil, false)
    }

    public mutating func receive(_ bytes: [UInt8], at now: Int64) -> ChannelAction {
        bytes.withUnsafeBytes { client?.append($0) }
        do throws(HTTP2Error) {
            while let outcome = try client?.next() {
                let action = finish(outcome, at: now)
                guard action == .none else {
                    return action
                }
            }
        } catch {
            return .reconnect("\(error)")
        }
        return .none
    }

    private mutating func finish(_ outcome: UnaryClient.Outcome, at now: Int64) -> ChannelAction {
        guard let (method, last, dropped) = current else {
            return .none
        }
        (current, waitingSince) = (nil, nil)
        refusesKernel = refusesKernel || method == .kernel && outcome.status == Self.unimplemented
        let isSettled = outcome.status == 0 || Self.rejections.contains(outcome.status)
        guard isSettled || method == .kernel && refusesKernel else {
            return .reconnect("the host answers with status \(outcome.status): \(outcome.message)")
        }
        isEstablished = true
        spool.acknowledge(last)
        reported = dropped
        oldestSince = spool.isEmpty ? nil : now
        return .none
    }

    public mutating func check(at now: Int64) -> ChannelAction {
        if let waitingSince, now - waitingSince >= AgentSession.acknowledgementLimit {
            return .reconnect("no answer for \(AgentSession.acknowledgementLimit / 1_000_000) s")
        }
        return .none
    }

    // MARK: - Sending

    public var sendTime: Int64? {
        guard let client else {
            return nil
        }
        guard !client.hasOutput else {
            return .min
        }
        guard !client.isBusy, let oldestSince else {
            return nil
        }
        return spool.size >= AgentSession.batchSize ? .min : oldestSince + AgentSession.batchDelay
    }

    public var checkTime: Int64? { waitingSince.map { $0 + AgentSession.acknowledgementLimit } }

    public mutating func nextFrame(at now: Int64, isFlushing: Bool = false) -> [UInt8]? {
        guard let time = sendTime else {
            return nil
        }
        if client?.hasOutput != true {
            guard isFlushing || time <= now, call(at: now) else {
                return nil
            }
        }
        return client?.takeOutput()
    }

    /// Calls with the oldest records, as far as they have one method.
    private mutating func call(at now: Int64) -> Bool {
        while refusesKernel, spool[spool.first]?.first == Method.kernel.rawValue {
            spool.acknowledge(spool.first)
        }
        guard let method = spool[spool.first]?.first.flatMap(Method.init) else {
            oldestSince = nil
            return false
        }
        var records: [ArraySlice<UInt8>] = []
        if spool.dropped > reported {
            records.append(Self.loss(spool.dropped - reported)[...])
        }
        var size = 0
        var next = spool.first
        while size < AgentSession.batchSize, records.count < AgentMessage.recordLimit, let record = spool[next],
            record.first == method.rawValue
        {
            records.append(record.dropFirst())
            size += record.count
            next += 1
        }
        var request: [UInt8] = []
        records.forEach { ProtobufWriter.append(1, bytes: $0, to: &request) }
        client?.call(method.path, request)
        (current, waitingSince) = ((method, next - 1, spool.dropped), now)
        return true
    }

    private static func loss(_ count: UInt64) -> [UInt8] {
        let text = "guestlog-agent: \(count) records were dropped while the host was away"
        return GuestRecord(severity: .warning, content: Array(text.utf8)).encoded
    }
}

extension GuestRecord {
    /// The record as ChromeOS's protocol has it: severity, time, and a text that begins with the program's name.
    fileprivate var plain: GuestRecord {
        var prefix = source == .kernel ? [] : identifier
        if !prefix.isEmpty {
            prefix += Array(": ".utf8)
        }
        return GuestRecord(severity: severity, time: time, content: prefix + content)
    }

    /// The program that logged it, and its process: `name[7]`.
    private var identifier: [UInt8] {
        func value(_ name: String) -> [UInt8]? { fields.first { $0.name.elementsEqual(name.utf8) }?.value }
        let name = tag.isEmpty ? value("SYSLOG_IDENTIFIER") ?? value("_COMM") ?? [] : tag
        let number = process.isEmpty ? value("_PID") ?? [] : process
        return name.isEmpty || number.isEmpty ? name : name + [UInt8(ascii: "[")] + number + [UInt8(ascii: "]")]
    }
}
