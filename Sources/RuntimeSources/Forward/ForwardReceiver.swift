// SPDX-License-Identifier: Apache-2.0

import Capture
import Glibc
import LogModel
import LogStore
import SystemIO
import TextFormats
import Transforms

/// Receives records of the Fluentd Forward protocol, on a thread of its own, and acknowledges each chunk when all of it is
/// committed.
///
/// A sender repeats a chunk that was not acknowledged. One that is sent again to the same process is stored once. While the
/// store takes nothing, the receiver does not read, and senders wait.
final class ForwardReceiver: @unchecked Sendable {
    // Sendable because everything but `interruption` is used on the loop's thread only.

    private let source: SourceDefinition
    private let options: ForwardOptions
    private let capture: CaptureService
    private let interruption: Interruption
    private let loop: EventLoop
    private let router: RecordRouter
    private let commits: CommitCounter
    private var position: ReadPosition
    private var senders: [ObjectIdentifier: ForwardSender] = [:]
    /// The memory of incomplete messages. Each sender is an owner: what it is, it does not prove.
    private var memory = ReceiveBudget<ObjectIdentifier, ObjectIdentifier>(limit: ForwardLimits.waiting)
    /// Chunks that were given to the store, by their position.
    private var chunks = RecentChunks()
    /// The senders that wait for the commit of a position.
    private var awaited: [(number: UInt64, chunk: [UInt8], sender: ForwardSender)] = []
    private var committed: UInt64 = 0
    private var record = RecordBuffer()

    init(
        _ source: SourceDefinition,
        _ options: ForwardOptions,
        pipeline: Pipeline,
        into capture: CaptureService,
        interruption: Interruption
    ) throws(SystemError) {
        self.source = source
        self.options = options
        self.capture = capture
        self.interruption = interruption
        loop = try EventLoop()
        let commits = CommitCounter()
        self.commits = commits
        router = RecordRouter(
            source,
            pipeline: pipeline,
            into: capture,
            commits: commits,
            interruption: interruption,
            isReplayed: false
        )
        position = ReadPosition(source: source.name)
    }

    /// Receives until the interruption is raised. Throws when the endpoint cannot be listened at.
    func run() throws {
        let key = try options.sharedKeyFile.map { path throws(SystemError) in try SecretFile.contents(of: path) }
        let listener = try listen()
        let stop = InterruptionHandler(loop)
        let token = try loop.add(interruption.descriptor, for: .readable, stop)
        try listener.begin(on: loop) { [self] (socket: consuming Descriptor) in accept(socket, key) }
        commits.observe { [weak self, loop] in
            let receiver = self
            loop.post { receiver?.acknowledge() }
        }
        capture.problems.clear("source \(source.name)")
        loop.run()
        loop.remove(token)
        listener.end()
        senders.values.forEach { $0.end(nil) }
        router.close()
    }

    /// Ends the loop when the source is to end.
    private final class InterruptionHandler: EventHandler {
        private unowned let loop: EventLoop

        init(_ loop: EventLoop) {
            self.loop = loop
        }

        func handle(_ readiness: Readiness) {
            loop.stop()
        }
    }

    private func listen() throws(SystemError) -> ListeningSocket {
        switch options.endpoint {
        case .network(let address): ListeningSocket(try address.listen(), path: address.description)
        case .path(let path): try ListeningSocket(path: path)
        }
    }

    // MARK: - Senders

    private func accept(_ socket: consuming Descriptor, _ key: [UInt8]?) {
        guard senders.count < ForwardLimits.connections else {
            return capture.diagnostics.log(.warning, "source \(source.name): too many senders; one was refused")
        }
        let nonce = (0..<16).map { _ in String(UInt8.random(in: 16...255), radix: 16) }.joined()
        let session = ForwardSession(sharedKey: key, hostName: options.hostName, nonce: nonce)
        let sender = ForwardSender(
            socket,
            session,
            on: loop,
            take: { [unowned self] message, sender in try take(message, from: sender) },
            onMemory: { [unowned self] sender in noteMemory(of: sender) },
            onEnd: { [unowned self] sender, error in end(sender, error) }
        )
        senders[ObjectIdentifier(sender)] = sender
        do {
            try sender.begin()
        } catch {
            sender.end(error)
        }
        loop.schedule(afterMicroseconds: ForwardLimits.handshake) { [weak sender] in
            if let sender, !sender.isOpen {
                sender.end(ForwardMessage.Fault(description: "the sender did not prove that it knows the shared key"))
            }
        }
    }

    private func end(_ sender: ForwardSender, _ error: (any Error)?) {
        senders[ObjectIdentifier(sender)] = nil
        memory.set(0, of: ObjectIdentifier(sender), owner: ObjectIdentifier(sender))
        awaited.removeAll { $0.sender === sender }
        if let error {
            capture.diagnostics.log(.warning, "source \(source.name): a connection was closed: \(error)")
        }
    }

    // MARK: - Records

    private func noteMemory(of sender: ForwardSender) {
        memory.set(sender.waiting, of: ObjectIdentifier(sender), owner: ObjectIdentifier(sender))
        while let excess = memory.excess, let largest = senders[excess] {
            let limit = memory.limit
            largest.end(
                ForwardMessage.Fault(
                    description: "incomplete messages of all connections use more than \(limit) bytes of memory; this "
                        + "connection uses the most"
                )
            )
        }
    }

    private func take(_ message: ForwardMessage, from sender: ForwardSender) throws {
        guard let chunk = message.chunk else {
            if let damage = try store(message) {
                throw ForwardMessage.Fault(description: "a message is damaged: \(damage.reason)")
            }
            return
        }
        if chunks[chunk] == nil {
            if let damage = try store(message) {
                // Without an acknowledgement the sender would repeat it for ever, and send nothing else.
                capture.diagnostics.log(
                    .warning,
                    "source \(source.name): a chunk is damaged: \(damage.reason); its last \(damage.bytes) bytes are lost, and "
                        + "it is acknowledged"
                )
            }
            chunks.add(chunk, at: position.number)
        }
        awaited.append((chunks[chunk] ?? position.number, chunk, sender))
        acknowledge()
    }

    /// Gives the records of a message to the store. What is damaged is a gap, and returned.
    private func store(_ message: ForwardMessage) throws -> ForwardMessage.Damage? {
        let tag = options.keepsTags ? String(decoding: message.tag, as: UTF8.self) : source.tag
        var damage: ForwardMessage.Damage?
        do {
            let skipped = try message.forEach { time, value in
                ForwardFields.read(value, time: time, tag: message.tag, into: &record)
                position.number += ReadPosition.step
                try router.add(&record, tag: tag, at: position)
            }
            if skipped > 0 {
                capture.diagnostics.log(
                    .warning,
                    "source \(source.name): \(skipped) entries are not records and were left out"
                )
            }
        } catch let error as ForwardMessage.Damage {
            damage = error
        }
        try router.flush()
        position.number += ReadPosition.step
        if let damage {
            try router.noteDamage(UInt64(damage.bytes), at: position)
        }
        commits.endRound(at: position)
        return damage
    }

    /// Acknowledges what is committed.
    private func acknowledge() {
        committed = max(committed, commits.takeSafe()?.number ?? 0)
        let ready = awaited.filter { $0.number <= committed }
        awaited.removeAll { $0.number <= committed }
        for (_, chunk, sender) in ready {
            sender.send(ForwardMessage.acknowledgement(of: chunk))
        }
    }
}

/// The chunks that came last, and their positions. Bounded.
struct RecentChunks {
    private var numbers: [[UInt8]: UInt64] = [:]
    private var order: [[UInt8]] = []
    private var oldest = 0

    subscript(chunk: [UInt8]) -> UInt64? { numbers[chunk] }

    mutating func add(_ chunk: [UInt8], at number: UInt64) {
        numbers[chunk] = number
        guard order.count == ForwardLimits.recentChunks else {
            return order.append(chunk)
        }
        numbers[order[oldest]] = nil
        order[oldest] = chunk
        oldest = (oldest + 1) % order.count
    }
}
