// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
import Synchronization

/// The events of a descriptor (epoll's bits).
public struct Readiness: OptionSet, Sendable {
    public let rawValue: UInt32

    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    /// There is data to read, or the end.
    public static let readable = Readiness(rawValue: EPOLLIN.rawValue)
    public static let writable = Readiness(rawValue: EPOLLOUT.rawValue)
    /// The peer has closed, or the descriptor failed; always reported.
    public static let hangUp = Readiness(rawValue: EPOLLHUP.rawValue | EPOLLERR.rawValue)
}

/// A client of an `EventLoop`: called, on the loop's thread, when its descriptor is ready.
public protocol EventHandler: AnyObject {
    /// The descriptor is ready; level-triggered, so a remaining condition is reported again in the next turn.
    func handle(_ readiness: Readiness)
}

/// One thread with one epoll instance, for a part of the sockets and pipes.
///
/// Registered handlers run on the loop's thread only, so they need no locks. Other threads use `post`. A turn serves at
/// most `eventsPerTurn` descriptors, including the one that signals posted jobs, then due timers, so no source starves
/// another. An idle loop has no wake-ups.
public final class EventLoop: @unchecked Sendable {
    /// Maximum number of descriptors served in one turn.
    static let eventsPerTurn = 256

    /// Identifies a registered descriptor until it is removed. Never reused while an old event for it may be pending.
    public struct Token: Hashable, Sendable {
        fileprivate var slot: UInt32
        fileprivate var generation: UInt32
    }

    /// Identifies a timer until it fires or is cancelled.
    public struct TimerToken: Hashable, Sendable {
        fileprivate var deadline: Int64
        fileprivate var serial: UInt64
    }

    private struct Slot {
        var handler: (any EventHandler)?
        var descriptor: Int32 = -1
        var generation: UInt32 = 0
    }

    private struct Mailbox {
        var jobs: [@Sendable () -> Void] = []
        /// Whether `run` has returned: the loop has no thread any more.
        var hasEnded = false
    }

    private let epoll: Descriptor
    private let wakeUp: Descriptor
    private let mailbox = Mutex(Mailbox())
    private let owner = Atomic<UInt>(0)
    private let clock: any HostClock

    // Below: the loop's thread only, which is why the class is Sendable.
    private var slots: [Slot] = []
    private var freeSlots: [UInt32] = []
    private var timers: [(token: TimerToken, job: () -> Void)] = []
    private var timerSerial: UInt64 = 0
    private var stopping = false

    /// Called on the loop's thread after each turn's events and timers, for work that is cheaper once per turn than per
    /// event.
    public var afterTurn: (() -> Void)?

    /// A loop that does not run yet: call `run()` on its thread.
    public init(clock: any HostClock = SystemClock()) throws(SystemError) {
        self.clock = clock
        epoll = Descriptor(owning: try systemCall("epoll_create") { gl_epoll() })
        wakeUp = Descriptor(owning: try systemCall("eventfd") { gl_eventfd() })
        var event = epoll_event(events: Readiness.readable.rawValue, data: epoll_data_t(u64: Self.wakeUpKey))
        let (epoll, wakeUp) = (epoll.raw, wakeUp.raw)
        try systemCall("epoll_ctl") { epoll_ctl(epoll, EPOLL_CTL_ADD, wakeUp, &event) }
    }

    private static let wakeUpKey = UInt64.max

    public var isCurrent: Bool {
        owner.load(ordering: .acquiring) == UInt(pthread_self())
    }

    /// Runs `job` on the loop's thread; from any thread. After the loop has ended, on the calling thread at once.
    public func post(_ job: @escaping @Sendable () -> Void) {
        let state = mailbox.withLock { mailbox in
            if !mailbox.hasEnded {
                mailbox.jobs.append(job)
            }
            return (count: mailbox.jobs.count, hasEnded: mailbox.hasEnded)
        }
        if state.hasEnded {
            job()
        } else if state.count == 1 {
            signalWakeUp()
        }
    }

    /// Runs `job` on the loop's thread and returns its result; on the loop's own thread at once.
    ///
    /// Blocks the caller for up to a turn: for control, not for data.
    public func perform<Result: Sendable>(_ job: @escaping @Sendable () -> Result) -> Result {
        if isCurrent {
            return job()
        }
        let answer = Mutex<Result?>(nil)
        let done = OneShot()
        post {
            let result = job()
            answer.withLock { $0 = result }
            done.signal()
        }
        done.wait()
        return answer.withLock { $0! }
    }

    /// Runs until `stop()`; jobs posted by then are completed.
    public func run() {
        owner.store(UInt(pthread_self()), ordering: .releasing)
        var events = [epoll_event](repeating: epoll_event(), count: Self.eventsPerTurn)
        while !stopping {
            let count = epoll_wait(epoll.raw, &events, Int32(Self.eventsPerTurn), timeout())
            for index in 0..<max(0, Int(count)) {
                dispatch(events[index])
            }
            fireTimers()
            afterTurn?()
        }
        while !takeJobs(atEnd: true).isEmpty {}
        // Handlers and timers have references to the owners of this loop.
        slots.removeAll()
        freeSlots.removeAll()
        timers.removeAll()
        afterTurn = nil
        owner.store(0, ordering: .releasing)
    }

    /// Runs posted jobs; at the end, the last of them, after which jobs run on the threads that post them.
    @discardableResult
    private func takeJobs(atEnd: Bool = false) -> [@Sendable () -> Void] {
        let jobs = mailbox.withLock { mailbox in
            let taken = mailbox.jobs
            mailbox.jobs.removeAll()
            mailbox.hasEnded = atEnd && taken.isEmpty
            return taken
        }
        for job in jobs {
            job()
        }
        return jobs
    }

    /// Ends `run()` after the current turn; from any thread.
    public func stop() {
        post { self.stopping = true }
    }

    public func add(
        _ descriptor: Int32,
        for readiness: Readiness,
        _ handler: any EventHandler
    ) throws(SystemError) -> Token {
        let slot = freeSlots.popLast() ?? UInt32(slots.count)
        if slot == slots.count {
            slots.append(Slot())
        }
        let token = Token(slot: slot, generation: slots[Int(slot)].generation)
        var event = epoll_event(events: readiness.rawValue, data: epoll_data_t(u64: Self.key(token)))
        do {
            try systemCall("epoll_ctl") { epoll_ctl(epoll.raw, EPOLL_CTL_ADD, descriptor, &event) }
        } catch {
            freeSlots.append(slot)
            throw error
        }
        slots[Int(slot)].handler = handler
        slots[Int(slot)].descriptor = descriptor
        return token
    }

    /// Changes the events of a registered descriptor; an empty set leaves only hang-up. Loop's thread only.
    public func modify(_ token: Token, for readiness: Readiness) {
        guard isLive(token) else {
            return
        }
        var event = epoll_event(events: readiness.rawValue, data: epoll_data_t(u64: Self.key(token)))
        _ = epoll_ctl(epoll.raw, EPOLL_CTL_MOD, slots[Int(token.slot)].descriptor, &event)
    }

    /// Removes a registered descriptor, before its owner closes it. Loop's thread only.
    public func remove(_ token: Token) {
        guard isLive(token) else {
            return
        }
        _ = epoll_ctl(epoll.raw, EPOLL_CTL_DEL, slots[Int(token.slot)].descriptor, nil)
        slots[Int(token.slot)].handler = nil
        slots[Int(token.slot)].descriptor = -1
        slots[Int(token.slot)].generation &+= 1
        freeSlots.append(token.slot)
    }

    @discardableResult
    public func schedule(afterMicroseconds microseconds: Int64, _ job: @escaping () -> Void) -> TimerToken {
        timerSerial += 1
        let token = TimerToken(deadline: clock.monotonicMicroseconds() + microseconds, serial: timerSerial)
        // Sorted latest first, so that the next due timer is the last element.
        let index = timers.partitioningIndex { Self.isDueBefore($0.token, token) }
        timers.insert((token, job), at: index)
        return token
    }

    /// Cancels a timer; no effect when it has fired. Loop's thread only.
    public func cancel(_ token: TimerToken) {
        timers.removeAll { $0.token == token }
    }

    private static func isDueBefore(_ left: TimerToken, _ right: TimerToken) -> Bool {
        (left.deadline, left.serial) < (right.deadline, right.serial)
    }

    private static func key(_ token: Token) -> UInt64 {
        UInt64(token.generation) << 32 | UInt64(token.slot)
    }

    private func isLive(_ token: Token) -> Bool {
        Int(token.slot) < slots.count && slots[Int(token.slot)].generation == token.generation
            && slots[Int(token.slot)].handler != nil
    }

    private func dispatch(_ event: epoll_event) {
        let key = event.data.u64
        if key == Self.wakeUpKey {
            var count: UInt64 = 0
            _ = read(wakeUp.raw, &count, 8)
            takeJobs()
            return
        }
        let token = Token(slot: UInt32(truncatingIfNeeded: key), generation: UInt32(key >> 32))
        // A handler served earlier in this turn may have removed this one.
        if isLive(token) {
            slots[Int(token.slot)].handler?.handle(Readiness(rawValue: event.events))
        }
    }

    private func timeout() -> Int32 {
        guard let next = timers.last else {
            return -1
        }
        let wait = next.token.deadline - clock.monotonicMicroseconds()
        return Int32(clamping: max(0, (wait + 999) / 1000))
    }

    private func fireTimers() {
        guard !timers.isEmpty else {
            return
        }
        let now = clock.monotonicMicroseconds()
        while let next = timers.last, next.token.deadline <= now {
            timers.removeLast()
            next.job()
        }
    }

    private func signalWakeUp() {
        var one: UInt64 = 1
        _ = write(wakeUp.raw, &one, 8)
    }
}

extension Array {
    /// The first index whose element satisfies `predicate`, in an array whose satisfying elements all come last.
    func partitioningIndex(where predicate: (Element) -> Bool) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if predicate(self[middle]) {
                high = middle
            } else {
                low = middle + 1
            }
        }
        return low
    }
}
