// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO

/// A connection of a guest: reads while its conversation wants bytes and the guest is within its rates, and sends what
/// the conversation has to say. Lives on the collector's loop.
final class CollectorConnection: EventHandler, ConversationHost {
    private let guest: GuestState
    private unowned let loop: EventLoop
    private let clock: any HostClock
    private let socket: Descriptor
    /// Whether the guest opened it, and opens another when it ends; else the collector did.
    let isAccepted: Bool
    /// Chooses the conversation by the first bytes; nil when they are too few.
    private let choose: (CollectorConnection, [UInt8]) throws -> (any Conversation)?
    /// Called with the memory of what was received and is not stored, in bytes, when that has changed.
    private let onMemory: (CollectorConnection, Int) -> Void
    private var onEnd: ((CollectorConnection, (any Error)?) -> Void)?
    private var conversation: (any Conversation)?
    private var token: EventLoop.Token?
    private var interest: Readiness = []
    private var firstBytesTimer: EventLoop.TimerToken?
    /// Bytes received before the protocol was known.
    private var first: [UInt8] = []
    private var output = PendingOutput()
    /// The memory use last reported.
    private var memory = 0
    private var isBlocked = false
    /// Whether it is not read because its guest is over its rates.
    private var isPaused = false
    /// Whether the peer has ended its half.
    private var isAtEnd = false
    private var phase = Phase.open
    /// Whether the peer has sent anything.
    private(set) var hasReceived = false
    /// When it began, or has received last, in monotonic microseconds.
    private(set) var lastReceived: Int64

    private enum Phase {
        case open
        /// It closes when everything is sent, with that error.
        case closing((any Error)?)
        case closed
    }

    /// Bytes read in one turn.
    private static let pieceSize = 64 << 10
    /// Bytes that wait to be sent to a guest that does not read.
    private static let outputLimit = 64 << 10
    /// The maximum time until the protocol is known, in microseconds.
    private static let firstBytesLimit: Int64 = 30_000_000
    /// The delay after which a guest over its rates is checked again, in microseconds.
    private static let pauseTime: Int64 = 250_000

    init(
        _ socket: consuming Descriptor,
        of guest: GuestState,
        isAccepted: Bool,
        on loop: EventLoop,
        clock: any HostClock,
        choose: @escaping (CollectorConnection, [UInt8]) throws -> (any Conversation)?,
        onMemory: @escaping (CollectorConnection, Int) -> Void,
        onEnd: @escaping (CollectorConnection, (any Error)?) -> Void
    ) {
        self.socket = socket
        self.guest = guest
        self.isAccepted = isAccepted
        self.loop = loop
        self.clock = clock
        lastReceived = clock.monotonicMicroseconds()
        self.choose = choose
        self.onMemory = onMemory
        self.onEnd = onEnd
    }

    /// Begins to read. A protocol that needs no bytes to be known is chosen at once.
    func begin() {
        do {
            conversation = try choose(self, [])
            setInterest()
        } catch {
            return end(error)
        }
        if conversation == nil {
            firstBytesTimer = loop.schedule(afterMicroseconds: Self.firstBytesLimit) { [weak self] in
                if self?.conversation == nil {
                    self?.end(SilentPeer.undecided)
                }
            }
        }
    }

    func handle(_ readiness: Readiness) {
        let start = SystemClock.threadNanoseconds()
        defer { finishTurn(since: start) }
        if readiness.contains(.writable) {
            flush()
        }
        if isOpen, !isHeld {
            readOnce()
        } else if !readiness.isDisjoint(with: .hangUp), !isClosed {
            // Nobody reads what waits to be sent.
            output.removeAll()
            setInterest()
        }
    }

    private var isOpen: Bool { if case .open = phase { true } else { false } }
    private var isClosed: Bool { if case .closed = phase { true } else { false } }

    /// Whether there is a reason not to read now.
    private var isHeld: Bool { isBlocked || isPaused || isAtEnd }

    /// Counts what a turn took, which began at `start`, and what it left.
    private func finishTurn(since start: Int64) {
        guest.spend(since: start)
        let left = isClosed ? 0 : first.count + output.count + (conversation?.memory ?? 0)
        if left != memory {
            memory = left
            onMemory(self, left)
        }
    }

    private func readOnce() {
        guard mayRead else {
            pause()
            return
        }
        withUnsafeTemporaryAllocation(byteCount: Self.pieceSize, alignment: 16) { buffer in
            let count = read(socket.raw, buffer.baseAddress, buffer.count)
            guard count > 0 else {
                // A failed connection has ended too.
                if count == 0 || ![EAGAIN, EINTR].contains(errno) {
                    isAtEnd = true
                    run()
                }
                return
            }
            receive(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<count]))
        }
    }

    /// Whether the guest's rates allow another read.
    private var mayRead: Bool { conversation?.canWait == false ? !guest.isExhausted : guest.allows() }

    /// Reads nothing for a moment.
    private func pause() {
        isPaused = true
        conversation?.notePause()
        setInterest()
        loop.schedule(afterMicroseconds: Self.pauseTime) { [weak self] in
            self?.isPaused = false
            self?.setInterest()
        }
    }

    private func receive(_ bytes: UnsafeRawBufferPointer) {
        hasReceived = true
        lastReceived = clock.monotonicMicroseconds()
        if let conversation {
            conversation.receive(bytes)
        } else {
            first.append(contentsOf: bytes)
            do {
                conversation = try choose(self, first)
            } catch {
                end(error)
                return
            }
            guard let conversation else {
                return
            }
            first.withUnsafeBytes { conversation.receive($0) }
            first = []
        }
        run()
    }

    /// Lets the conversation handle what it has.
    private func run() {
        guard isOpen else {
            return
        }
        guard let conversation else {
            if isAtEnd {
                end(nil)
            }
            return
        }
        do {
            var progress = try conversation.advance()
            if progress == .needsBytes, isAtEnd {
                progress = try conversation.end()
            }
            isBlocked = progress == .blocked
            if progress == .ended {
                closeAfterOutput(nil)
            }
            setInterest()
        } catch {
            closeAfterOutput(error)
        }
    }

    /// Whether nothing waits to be read, stored or sent.
    var isIdle: Bool { output.isEmpty && !isPaused && conversation?.isWaiting != true }

    // MARK: - The conversation's side

    func send(_ bytes: [UInt8]) {
        guard !isClosed else {
            return
        }
        output.append(bytes)
        flush()
        if output.count > Self.outputLimit {
            end(SilentPeer.readsNothing)
        }
    }

    func resume() {
        let start = SystemClock.threadNanoseconds()
        defer { finishTurn(since: start) }
        isBlocked = false
        run()
    }

    func schedule(afterMicroseconds delay: Int64, _ body: @escaping () -> Void) {
        loop.schedule(afterMicroseconds: delay) { [weak self] in
            if let self, !self.isClosed {
                body()
            }
        }
    }

    // MARK: - Sending and closing

    private func flush() {
        if !output.write(to: socket.raw) {
            output.removeAll()
        }
        if case .closing(let error) = phase, output.isEmpty {
            end(error)
        } else {
            setInterest()
        }
    }

    private func closeAfterOutput(_ error: (any Error)?) {
        guard isOpen else {
            return
        }
        phase = .closing(error)
        flush()
    }

    /// Waits for what is of interest now. A blocked connection without output is not registered at all: a peer that has
    /// hung up would be reported again and again.
    private func setInterest() {
        guard !isClosed else {
            return
        }
        var wanted: Readiness = []
        if isOpen, !isHeld {
            wanted.insert(.readable)
        }
        if !output.isEmpty {
            wanted.insert(.writable)
        }
        guard wanted != interest else {
            return
        }
        interest = wanted
        switch (token, wanted) {
        case (let token?, []):
            loop.remove(token)
            self.token = nil
        case (let token?, _):
            loop.modify(token, for: wanted)
        case (nil, []):
            break
        case (nil, _):
            token = try? loop.add(socket.raw, for: wanted, self)
        }
    }

    /// Closes the connection now; `error`: why, if that is not the peer's end of it.
    func end(_ error: (any Error)?) {
        guard !isClosed else {
            return
        }
        phase = .closed
        if let token {
            loop.remove(token)
        }
        token = nil
        conversation = nil
        if let firstBytesTimer {
            // Connections that come and go leave nothing behind.
            loop.cancel(firstBytesTimer)
        }
        let onEnd = onEnd
        self.onEnd = nil
        onEnd?(self, error)
    }

    /// Reads what has arrived already, at most `drainLimit` pieces. Returns whether that is all, and the log has it.
    func drain() -> Bool {
        for _ in 0..<Self.drainLimit where !isClosed && !isHeld {
            var polled = pollfd(socket.raw)
            guard poll(&polled, 1, 0) == 1 else {
                return conversation?.isWaiting != true
            }
            handle(.readable)
        }
        return isClosed
    }

    /// Pieces that are read at a stop.
    private static let drainLimit = 64
}

/// A peer that sends nothing, or reads nothing.
enum SilentPeer: Error, CustomStringConvertible {
    /// Its first bytes do not tell its protocol.
    case undecided
    case sendsNothing, readsNothing

    var description: String {
        switch self {
        case .undecided: "it timed out: it has not sent enough to tell its protocol"
        case .sendsNothing: "it timed out: it has sent nothing for a while"
        case .readsNothing: "it does not read what is sent to it"
        }
    }
}

/// The incomplete messages of all guests together are too large, and this connection's are the largest.
struct MemoryExceeded: Error, CustomStringConvertible {
    let limit: Int

    var description: String {
        "incomplete messages of all connections use more than \(limit) bytes of memory; this connection, which uses the "
            + "most, is closed"
    }
}
