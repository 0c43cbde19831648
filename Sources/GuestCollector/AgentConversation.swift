// SPDX-License-Identifier: Apache-2.0

import GuestChannel
import LogModel

/// The agent's protocol, as docs/guest_channel.proto describes it.
final class AgentConversation: Conversation {
    private let guest: GuestState
    private unowned let host: any ConversationHost
    private let ingest: RecordIngest
    private var decoder: FrameDecoder
    private var hello: AgentMessage.Hello?
    /// Whether the hello has its welcome.
    private var isWelcome = false
    /// The number of the last record of this connection.
    private var last: UInt64 = 0
    /// The number that was acknowledged last.
    private var acknowledged: UInt64 = 0
    private var isObserving = false
    private var isLifeScheduled = false
    /// Whether records may wait to be read, because the guest is over its rates.
    private var isPaused = false
    private var received = 0
    /// Whether `advance` has handled everything that was received.
    private var needsBytes = false
    private var isFrameScheduled = false

    /// The time in which the rest of a frame has to come, in microseconds: without it the agent may have begun anew.
    /// Much shorter than the time that an agent waits for its welcome.
    private static let frameLimit: Int64 = 1_000_000

    /// The interval between signs of life while records wait to be committed, in microseconds: a third of what the agent
    /// waits for one.
    static let lifeInterval: Int64 = AgentSession.acknowledgementLimit / 3

    /// `greets`: whether the stream can be in the middle of an earlier conversation.
    init(_ guest: GuestState, log: GuestLog, host: any ConversationHost, greets: Bool) {
        self.guest = guest
        self.host = host
        ingest = RecordIngest(log, guest: guest, policy: .wait, host: host)
        decoder = FrameDecoder(resynchronizes: greets)
        if greets {
            send(.greeting(version: GuestChannelVersion.current))
        }
    }

    deinit {
        ingest.log.removeObserver(self)
    }

    var memory: Int { decoder.memory + ingest.memory }
    var isWaiting: Bool { !ingest.isIdle }

    func receive(_ bytes: UnsafeRawBufferPointer) {
        decoder.append(bytes)
        received += bytes.count
    }

    func advance() throws -> ConversationState {
        needsBytes = false
        while true {
            if hello != nil, !isWelcome {
                guard try welcome() else {
                    return .blocked
                }
            }
            let progress = ingest.advance()
            guard progress == .needsBytes else {
                return progress
            }
            guard let payload = try decoder.next() else {
                needsBytes = true
                awaitFrame()
                return .needsBytes
            }
            try handle(AgentMessage(decoding: payload))
        }
    }

    func end() -> ConversationState { .ended }

    /// Has a frame in an incomplete one looked for when nothing more of that comes.
    private func awaitFrame() {
        guard !isFrameScheduled, decoder.incomplete > 0 else {
            return
        }
        isFrameScheduled = true
        host.schedule(afterMicroseconds: Self.frameLimit) { [weak self, received] in
            self?.checkFrame(since: received)
        }
    }

    /// `count` bytes had been received when the time began.
    private func checkFrame(since count: Int) {
        isFrameScheduled = false
        guard needsBytes else {
            return
        }
        if received == count, decoder.expire() {
            host.resume()
        } else if received > count || decoder.mayExpire {
            awaitFrame()
        }
    }

    private func handle(_ message: AgentMessage) throws(GuestChannelError) {
        switch message {
        case .hello(let hello):
            self.hello = hello
            (isWelcome, last, acknowledged) = (false, 0, 0)
        case .records(let records):
            guard let hello else {
                throw .noHello
            }
            // What this connection has had is given to the log, which may have forgotten the session among others.
            let base = max(hello.acknowledged, last)
            for record in records {
                guard record.sequence > last else {
                    throw .order(record.sequence)
                }
                last = record.sequence
            }
            ingest.add(records.map { StoredRecord($0, session: hello.session, boot: hello.boot) }, base: base)
            keepAlive()
        }
    }

    /// Answers the hello, when the stream is open; returns whether it was answered.
    private func welcome() throws -> Bool {
        guard let hello, ingest.log.isOpen else {
            if let failure = ingest.log.failure {
                throw failure
            }
            ingest.log.whenOpen { [weak self] in self?.host.resume() }
            return false
        }
        isWelcome = true
        if !isObserving {
            isObserving = true
            ingest.log.observe(self) { [weak self] in self?.acknowledge() }
        }
        acknowledged = ingest.log.committed[hello.session] ?? hello.acknowledged
        let check = ingest.log.committed.check(of: hello.session)
        send(.welcome(session: hello.session, acknowledged: acknowledged, check: check))
        return true
    }

    private func acknowledge() {
        guard isWelcome, let hello, let number = ingest.log.committed[hello.session], number > acknowledged else {
            return
        }
        acknowledged = number
        send(.acknowledgement(number))
    }

    func notePause() {
        isPaused = true
        keepAlive()
    }

    /// Repeats the last acknowledgement while records wait, so that the agent does not take the connection for dead.
    private func keepAlive() {
        guard !isLifeScheduled, last > acknowledged || isPaused else {
            return
        }
        isLifeScheduled = true
        host.schedule(afterMicroseconds: Self.lifeInterval) { [weak self] in
            guard let self else {
                return
            }
            isLifeScheduled = false
            if isWelcome, last > acknowledged || isPaused {
                // A pause that lasts is noted again and again.
                isPaused = false
                send(.acknowledgement(acknowledged))
                keepAlive()
            }
        }
    }

    private func send(_ message: CollectorMessage) {
        var out: [UInt8] = []
        GuestFrame.append(message.encoded, to: &out)
        host.send(out)
    }
}
