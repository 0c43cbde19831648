// SPDX-License-Identifier: Apache-2.0

import Capture
import Glibc
import LogModel
import SystemIO

/// How one console is reached: a state machine without sockets. Each event returns the actions that follow from it;
/// `Console` carries them out, in order, before the next event.
struct ConsoleLink {
    enum State: Hashable {
        /// Not connected, and nothing is under way: the VMM connects, the path appears, or a client joins.
        case idle
        case dialling
        /// To be dialled when the timer fires.
        case waiting
        /// Connected since then, in monotonic microseconds.
        case connected(since: Int64)
        /// The connection was closed, and there is no other.
        case spent
        /// The console was removed.
        case ended
    }

    enum Action: Hashable {
        /// Open the endpoint, and report `dialled` or `failed`.
        case dial
        /// Report `retryDue` after that time.
        case retry(afterMicroseconds: Int64)
        case cancelRetry
        /// Remove the console after a while unless that is cancelled: its path has gone.
        case forgetLater
        case cancelForgetting
        /// Write a marker before the next byte. `sinceStop`: what it records began when the previous daemon stopped.
        case mark(ConsoleBoundary, sinceStop: Bool)
        /// Read the writer's input again.
        case resumeInput
        /// Close the connection.
        case hangUp
        /// Forget the previous daemon's connection.
        case forgetPreviousConnection
        /// Close the clients' connections.
        case closeClients
        /// Tell the clients.
        case notify(String)
        /// Write to the daemon's log.
        case warn(String)
        /// Report a problem of the console, until it is reached: it has been unreachable for a while.
        case report(String)
    }

    /// What does not change.
    struct Traits {
        var endpoint: Endpoint
        var isOnDemand: Bool
        var isDiscovered: Bool
        /// The age up to which a process at the other end counts as just started, in microseconds.
        var joinAge: Int64
    }

    private let traits: Traits
    private(set) var state = State.idle
    /// Whether there are clients: only then a console on demand is connected.
    var hasClients = false
    /// The last process at the other end.
    private var knownPeer: PeerIdentity?
    /// Whether the previous daemon had a connection, of whose time without a daemon nothing is recorded yet.
    private var isUnrecovered: Bool
    /// Whether it was connected since this process began, and whether it was found unreachable since then.
    private var wasConnected = false
    private var wasAbsent = false
    /// Why the console could not be reached, as the clients were told.
    private var reportedFailure: SystemError?
    private var backoff = Backoff()
    private var isForgetting = false

    /// After a connection that lasted this long, in microseconds, the next attempt is made at once.
    private static let stableAfter: Int64 = 1_000_000

    /// A console at whose other end the previous daemon knew the process `knownPeer`. `isUnrecovered`: that daemon was
    /// connected at its end, and did not hand the connection over.
    init(_ traits: Traits, knownPeer: PeerIdentity?, isUnrecovered: Bool = false) {
        self.traits = traits
        self.knownPeer = knownPeer
        self.isUnrecovered = isUnrecovered
    }

    /// Whether the console is to be connected.
    private var isWanted: Bool { !traits.isOnDemand || hasClients }

    var isConnected: Bool {
        if case .connected = state { true } else { false }
    }

    // MARK: - Dialling

    /// The console is to be reached: at the begin.
    mutating func begin() -> [Action] { dial() }

    /// A client has joined a console on demand.
    mutating func joined() -> [Action] {
        reportedFailure = nil
        return dial()
    }

    /// The path has appeared or changed: the VMM may listen there now.
    mutating func endpointChanged() -> [Action] {
        backoff = Backoff()
        return dial()
    }

    mutating func retryDue() -> [Action] {
        guard state == .waiting else {
            return []
        }
        state = .idle
        return dial()
    }

    private mutating func dial() -> [Action] {
        guard isWanted, traits.endpoint.isDialled, state == .idle || state == .waiting else {
            return []
        }
        defer { state = .dialling }
        return state == .waiting ? [.cancelRetry, .dial] : [.dial]
    }

    /// The endpoint was opened; returns whether the connection is to be used.
    mutating func dialled() -> Bool {
        guard state == .dialling else {
            return false
        }
        state = .idle
        return isWanted
    }

    /// The endpoint could not be opened.
    mutating func failed(_ error: SystemError) -> [Action] { dialled() ? unreachable(error) : [] }

    /// The connection cannot be used: typically it is a regular file in place of a pipe.
    mutating func unusable(_ error: SystemError) -> [Action] {
        state = .idle
        return unreachable(error)
    }

    private mutating func unreachable(_ error: SystemError) -> [Action] {
        var actions: [Action] = []
        if error.code == ENOENT || error.code == ECONNREFUSED {
            wasAbsent = true
            actions += endUnrecovered()
        }
        if traits.isOnDemand, reportedFailure != error {
            actions.append(.notify("cannot reach the console: \(error); retrying"))
            reportedFailure = error
        }
        if error.code != ENOENT {
            let retry = retryLater()
            actions += (backoff.isSlow ? [.report("\(error); \(retrying)")] : []) + [retry]
        } else if traits.isDiscovered, !isForgetting {
            // The folder is watched, so its path's return will be noticed. A VMM takes a while to restart.
            isForgetting = true
            actions.append(.forgetLater)
        }
        // Detects clients that have left meanwhile, which may end the attempts.
        return traits.isOnDemand ? actions + [.resumeInput] : actions
    }

    /// The machine that the previous daemon left has ended: what it said at last is missing.
    private mutating func endUnrecovered() -> [Action] {
        guard isUnrecovered else {
            return []
        }
        isUnrecovered = false
        let absence = Action.mark(.absence(.daemonAway), sinceStop: true)
        return [absence, .mark(.boot(.closed), sinceStop: false), .forgetPreviousConnection]
    }

    private mutating func retryLater() -> Action {
        state = .waiting
        return .retry(afterMicroseconds: backoff.next())
    }

    /// How a console is retried once the delays have reached their maximum.
    private var retrying: String { "retrying every \(backoff.longest / 1_000_000) s" }

    /// The time after `forgetLater` has expired; the console is removed, or its path is there again.
    mutating func forgettingDue() {
        isForgetting = false
    }

    // MARK: - Connected

    /// A connection to the process `peer` exists since `now`; `age` is how long that process has been running, and
    /// `isContinuing` whether it was started to continue a machine. Markers of the previous daemon's time follow when the
    /// connection `isHandedOver` and that daemon `hasLost` output. With `wasDrained` that daemon drained a console of the
    /// process, of which nothing else is known.
    mutating func connected(
        to peer: PeerIdentity?,
        age: @autoclosure () -> Int64?,
        isContinuing: @autoclosure () -> Bool = false,
        isHandedOver: Bool,
        hasLost: Bool,
        wasDrained: Bool = false,
        at now: Int64
    ) -> [Action] {
        var actions: [Action] = state == .waiting ? [.cancelRetry] : []
        if isForgetting {
            isForgetting = false
            actions.append(.cancelForgetting)
        }
        reportedFailure = nil
        if isHandedOver {
            if hasLost {
                actions.append(.mark(.absence(.daemonAway), sinceStop: false))
            }
        } else if let boundary = boundary(before: peer, wasDrained, age, isContinuing) {
            if isUnrecovered, case .boot = boundary {
                // Of the machine before.
                actions.append(.mark(.absence(.daemonAway), sinceStop: true))
            }
            actions.append(.mark(boundary, sinceStop: !wasConnected))
        }
        isUnrecovered = false
        state = .connected(since: now)
        (wasConnected, wasAbsent) = (true, false)
        knownPeer = peer
        // Sends input that was typed meanwhile.
        return actions + [.resumeInput]
    }

    /// The marker before the first byte of a new connection, as far as the transport knows; nil when nothing is
    /// missing.
    private func boundary(
        before peer: PeerIdentity?,
        _ wasDrained: Bool,
        _ age: () -> Int64?,
        _ isContinuing: () -> Bool
    ) -> ConsoleBoundary? {
        let isSameMachine =
            if let peer, let knownPeer {
                peer.isSame(as: knownPeer)
            } else {
                wasConnected ? !wasAbsent : wasDrained
            }
        // Output of the meantime was dropped by the VMM, unless the endpoint buffers it.
        let absence: ConsoleBoundary? =
            traits.endpoint.keepsOutput ? nil : .absence(wasConnected ? .disconnected : .daemonAway)
        guard !isSameMachine else {
            return absence
        }
        guard traits.endpoint != .inherited else {
            return .boot(.powerOn)
        }
        if !wasAbsent, let age = age(), age >= traits.joinAge {
            return .boot(.joined)
        }
        guard isContinuing() else {
            return .boot(.powerOn)
        }
        // What is known here is the same machine before it was saved.
        return wasConnected || knownPeer != nil ? absence : .boot(.joined)
    }

    /// The guest's end has closed, or another connection takes its place.
    mutating func disconnected(at now: Int64) -> [Action] {
        guard case .connected(let since) = state else {
            return []
        }
        let policy = traits.endpoint.reconnectPolicy
        guard policy != .never else {
            state = .spent
            return [.hangUp, .resumeInput, .closeClients]
        }
        state = .idle
        guard !traits.endpoint.isPipe else {
            // Its writers have gone; the next one is another machine, and must not wait for a reader.
            (knownPeer, wasAbsent) = (nil, true)
            return [.hangUp] + dial() + [.resumeInput]
        }
        if now - since >= Self.stableAfter {
            backoff = Backoff()
        }
        var redial: [Action] = []
        if traits.endpoint.isDialled, policy == .retry {
            let wasSlow = backoff.isSlow
            redial = [retryLater()]
            if backoff.isSlow, !wasSlow {
                redial.insert(.warn("\(traits.endpoint) closes as soon as it is opened; \(retrying)"), at: 0)
            }
        }
        let notice = "the console was closed; waiting for it to reconnect; input is dropped until then"
        // Input for a closed connection is dropped, so the writer may continue.
        return [.hangUp, .notify(notice)] + redial + [.resumeInput]
    }

    // MARK: - End

    /// A client has left, or the guest `isBehind` no more with its input. A console on demand without clients is
    /// disconnected when the guest has taken all input.
    mutating func left(isBehind: Bool) -> [Action] {
        guard !isWanted else {
            return []
        }
        switch state {
        case .waiting:
            state = .idle
            backoff = Backoff()
            return [.cancelRetry]
        case .connected where !isBehind:
            state = .idle
            backoff = Backoff()
            return [.hangUp]
        case .idle, .dialling, .connected, .spent, .ended:
            return []
        }
    }

    /// The console is removed. The connection is the caller's to close or to pass on.
    mutating func end() -> [Action] {
        state = .ended
        return [.cancelRetry, .cancelForgetting]
    }
}
