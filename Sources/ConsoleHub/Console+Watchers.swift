// SPDX-License-Identifier: Apache-2.0

import Capture
import Glibc
import LogModel
import SystemIO

// A console's watchers, and its sockets for other programs.
extension Console {
    /// Attaches a client and logs who it is and what it may do. `onNotice` and `onAttached` are called as described
    /// at `ConsoleHub.attach`.
    func attach(
        _ descriptor: consuming Descriptor,
        as role: WatcherRole,
        who: String,
        slot: SocketSessions.Slot? = nil,
        onNotice: @escaping @Sendable (ConsoleNotice) -> Void = { _ in },
        _ onAttached: @escaping (ConsoleHub.Attachment?) -> Void = { _ in }
    ) {
        let watcher = Watcher(
            descriptor,
            who: who,
            wantsToWrite: role != .watch,
            slot: slot,
            console: self,
            onNotice: onNotice
        )
        guard !isEnded, watcher.begin() else {
            onAttached(nil)
            return
        }
        watchers.append(watcher)
        if definition.isOnDemand {
            perform { $0.joined() }
        } else if guest == nil {
            watcher.notify(
                "\(definition.key.name) is not connected; waiting for it; input is dropped until then"
            )
        }
        let refusal = admit(watcher, as: role)
        let report = { [unowned self] in
            onAttached(isEnded ? nil : ConsoleHub.Attachment(refusal: refusal, isConnected: guest != nil))
        }
        if link.state == .dialling, definition.isOnDemand {
            awaitingDial.append(report)
        } else {
            report()
        }
    }

    func settleAttachments() {
        let waiting = awaitingDial
        awaitingDial = []
        waiting.forEach { $0() }
    }

    /// Gives the watcher the right to write, if it asks for it and may have it; otherwise returns the reason.
    private func admit(_ watcher: Watcher, as role: WatcherRole) -> String? {
        let who = watcher.who
        guard role != .watch else {
            log(.notice, "\(who) watches")
            return "watching only"
        }
        guard definition.endpoint.takesInput else {
            let refusal = "input cannot be sent through a named pipe"
            watcher.notify(refusal + "; you are watching")
            log(.notice, "\(who) watches: nothing can be typed on a named pipe")
            return refusal
        }
        if let writer {
            guard role == .steal else {
                let refusal = "\(writer.who) is writing"
                watcher.notify(refusal + "; you are watching")
                log(.notice, "\(who) watches: \(refusal)")
                return refusal
            }
            writer.notify("\(who) has taken over; you are watching")
            inputDrained()
            log(.notice, "\(who) writes, taking over from \(writer.who)")
        } else {
            log(.notice, "\(who) writes")
        }
        writer = watcher
        watcher.pauseInput(definition.isOnDemand && guest == nil)
        return nil
    }

    func drop(_ watcher: Watcher) {
        log(.info, "\(watcher.who) has left")
        watcher.end()
        watchers.removeAll { $0 === watcher }
        if writer === watcher {
            writer = nil
            passOnWriting()
        }
        if definition.isOnDemand, watchers.isEmpty {
            abandonPending()
        }
        noteLeft()
    }

    /// Gives the right to write, which its owner has left, to the client that has been waiting for it longest: its own
    /// previous connection may have been the owner, and broken.
    private func passOnWriting() {
        guard let next = watchers.first(where: \.wantsToWrite) else {
            return
        }
        writer = next
        next.notify("you are writing now")
        log(.notice, "\(next.who) writes")
        next.pauseInput(guest?.isCongested ?? definition.isOnDemand)
    }

    private func noteLeft() {
        let isBehind = guest?.isCongested ?? false
        perform { $0.left(isBehind: isBehind) }
    }

    /// Passes a watcher's input to the guest if the watcher is the writer.
    func input(_ bytes: UnsafeRawBufferPointer, from watcher: Watcher) {
        guard watcher === writer else {
            return
        }
        guest?.send(bytes)
        watcher.pauseInput(guest?.isCongested ?? false)
    }

    /// Passes the guest's output to the watchers.
    func output(_ bytes: UnsafeRawBufferPointer) {
        for watcher in watchers {
            watcher.send(bytes)
        }
    }

    /// The guest takes input again.
    func inputDrained() {
        writer?.pauseInput(false)
        noteLeft()
    }

    /// Closes the connections of those watchers that satisfy `isDone`.
    func closeWatchers(where isDone: (Watcher) -> Bool) {
        watchers.filter(isDone).forEach { $0.end() }
        watchers.removeAll(where: isDone)
        writer = nil
    }

    func notifyWatchers(_ message: String, end: ConsoleNotice.End? = nil) {
        for watcher in watchers {
            watcher.notify(message, end: end)
        }
    }

    // MARK: - Pass-through

    /// Offers a socket for other programs, because the VMM's serves one client, which is the daemon. It carries the
    /// console's bytes alone: what a client may do is in the daemon's log.
    func passThrough(by socket: ListeningSocket) {
        passThrough = begin(socket) { console, descriptor in
            let who = PeerCredentials.description(of: try? UnixSocket.peer(of: descriptor.raw))
            console.attachBySocket(descriptor, who: who)
        }
    }

    private func attachBySocket(_ descriptor: consuming Descriptor, who: String) {
        let slot: SocketSessions.Slot
        do throws(SessionLimitReached) {
            slot = try hub.socketSessions.acquireSlot(beside: watchers.count { $0.slot != nil })
        } catch {
            let command = "guestlog console \(definition.key.name)"
            log(.notice, "\(who) is refused: \(error.message); end one, or use '\(command)'")
            return
        }
        attach(descriptor, as: .write, who: who, slot: slot)
    }
}
