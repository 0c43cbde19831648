import Capture
import CLinux
import Glibc
import LogModel
import LogStore
import SystemIO

/// One console, on its VM's shard: the descriptor to the guest, the log, the watchers, the one who may write.
///
/// The guest's bytes go to the log and to every watcher; a writer's bytes go to the guest and nowhere else: what they
/// look like is the guest's to echo.
final class Console: @unchecked Sendable {
    // Sendable because all but the lets is touched on the shard's thread alone.

    let definition: ConsoleHub.Definition
    let shard: Shard
    private unowned let hub: ConsoleHub
    private var intake: StreamIntake?
    private var line: GuestLine?
    private var listener: PassiveSocket?
    private var passThrough: PassiveSocket?
    private var passThroughPath: String?
    private var watchers: [Watcher] = []
    private var writer: Watcher?
    private var knownPeer: ProcessIdentity?
    private var retryDelay = Console.firstRetry
    private var retry: EventLoop.TimerToken?
    private var isEnded = false

    /// A socket that is there but refuses is tried again after this long, in microseconds, and twice as long each
    /// time: its owner is between bind and listen. After `lastRetry` only a change of the file counts.
    private static let firstRetry: Int64 = 2000
    private static let lastRetry: Int64 = 4_000_000

    init(_ definition: ConsoleHub.Definition, shard: Shard, hub: ConsoleHub) {
        self.definition = definition
        self.shard = shard
        self.hub = hub
    }

    /// Begins to be reached, with a descriptor from before, or by dialling or listening.
    func begin(
        adopting raw: Int32?,
        knownPeer: ProcessIdentity?,
        isHandedOver: Bool,
        passThroughFolder: String?
    ) {
        self.knownPeer = knownPeer
        let options = StreamOptions(rate: definition.rate, plainFile: definition.plainFile)
        do throws(CaptureService.OpenError) {
            intake = try hub.capture.open(definition.key, options: options, on: shard)
        } catch {
            hub.capture.diagnostics.say(.warning, "console \(definition.key.name)/\(definition.key.stream): \(error)")
        }
        if let folder = passThroughFolder {
            offerPassThrough(in: folder)
        }
        if case .listen(let path) = definition.endpoint {
            listen(at: path)
        }
        if let raw {
            connected(Descriptor(owning: raw), isHandedOver: isHandedOver)
        } else {
            dial()
        }
    }

    var status: ConsoleHub.Status {
        ConsoleHub.Status(
            definition: definition,
            isConnected: line != nil,
            watchers: watchers.count,
            writer: writer?.who,
            passThrough: passThrough == nil ? nil : passThroughPath,
            isStored: intake != nil
        )
    }

    // MARK: - Reaching the guest

    private func dial() {
        guard line == nil, !isEnded else {
            return
        }
        do throws(SystemError) {
            if let descriptor = try definition.endpoint.open() {
                connected(descriptor, isHandedOver: false)
            }
        } catch {
            // ENOENT: the folder is watched, and tells when it appears.
            if error.code != ENOENT, retryDelay <= Self.lastRetry {
                let delay = retryDelay
                retryDelay *= 2
                retry = shard.loop.schedule(afterMicroseconds: delay) { [weak self] in
                    self?.retry = nil
                    self?.dial()
                }
            } else if error.code != ENOENT, error.code != ECONNREFUSED {
                hub.capture.diagnostics.say(.warning, "console \(definition.key.name): \(error)")
            }
        }
    }

    /// The path has appeared or changed: the VMM may be there now.
    func endpointChanged() {
        retryDelay = Self.firstRetry
        if let retry {
            shard.loop.cancel(retry)
            self.retry = nil
        }
        dial()
    }

    private func listen(at path: String) {
        listener = try? PassiveSocket(path: path, loop: shard.loop) { [unowned self] descriptor in
            // The newest connection is the VMM's: one that restarted may not have been seen to go.
            if line != nil {
                disconnected()
            }
            connected(descriptor, isHandedOver: false)
        }
        if listener == nil {
            hub.capture.diagnostics.say(.error, "console \(definition.key.name): cannot listen at \(path)")
        }
    }

    private func connected(_ descriptor: consuming Descriptor, isHandedOver: Bool) {
        let raw = descriptor.raw
        try? descriptor.setNonBlocking()
        let peer = ProcessIdentity(peerOf: raw) ?? ProcessIdentity(placeOf: raw)
        guard let line = GuestLine(descriptor, console: self) else {
            return
        }
        self.line = line
        retryDelay = Self.firstRetry
        // A console that came over, or that leads to the same process as before, is no new boot: this process was
        // restarted, or a VMM that is about to end took one more connection.
        let isSameMachine = isHandedOver || peer.flatMap { peer in knownPeer.map(peer.isSame) } ?? false
        if !isSameMachine {
            intake?.mark(.powerOn)
        }
        knownPeer = peer
        hub.connected(definition, descriptor: raw, peer: peer)
    }

    /// The guest's end is closed.
    func disconnected() {
        guard let line else {
            return
        }
        line.end()
        self.line = nil
        intake?.mark(.closed)
        hub.disconnected(definition)
        // A descriptor that was given to us cannot be reached again.
        if definition.endpoint != .inherited {
            tellAll("the console was closed; waiting for it to come back")
            endpointChanged()
        }
    }

    /// The guest has said `bytes`.
    func output(_ bytes: UnsafeRawBufferPointer) {
        for watcher in watchers {
            watcher.send(bytes)
        }
    }

    func receive(from descriptor: Int32) -> StreamIntake.Received {
        if let intake {
            return intake.receive(from: descriptor)
        }
        return shard.receiveUnstored(from: descriptor)
    }

    /// Closes the console for good.
    func end() {
        isEnded = true
        if let line {
            line.end()
            self.line = nil
            intake?.mark(.closed)
            hub.disconnected(definition)
        }
        release()
    }

    /// Lets go without a mark: the next process goes on with the descriptor returned.
    func suspend() -> Int32? {
        isEnded = true
        let descriptor = line?.handOver()
        line = nil
        release()
        return descriptor
    }

    private func release() {
        tellAll("guestlog stops")
        if let retry {
            shard.loop.cancel(retry)
        }
        watchers.forEach { $0.end() }
        watchers.removeAll()
        writer = nil
        listener?.end()
        passThrough?.end()
        intake?.close()
        intake = nil
    }

    // MARK: - Watchers

    func attach(_ descriptor: consuming Descriptor, as role: WatcherRole, who: String) {
        let watcher = Watcher(descriptor, who: who, console: self)
        guard watcher.begin() else {
            return
        }
        watchers.append(watcher)
        switch role {
        case .watch:
            break
        case .write where !definition.endpoint.takesInput, .steal where !definition.endpoint.takesInput:
            watcher.tell("a named pipe carries nothing to the guest; you are watching")
        case .write:
            if let writer {
                watcher.tell("\(writer.who) is writing; you are watching")
            } else {
                writer = watcher
            }
        case .steal:
            writer?.tell("\(who) has taken over; you are watching")
            writer = watcher
        }
    }

    func drop(_ watcher: Watcher) {
        watcher.end()
        watchers.removeAll { $0 === watcher }
        if writer === watcher {
            writer = nil
        }
    }

    /// A watcher has typed `bytes`; only the writer's reach the guest.
    func input(_ bytes: UnsafeRawBufferPointer, from watcher: Watcher) {
        guard watcher === writer else {
            return
        }
        line?.send(bytes)
        watcher.pauseInput(line?.isCongested ?? false)
    }

    func inputDrained() {
        writer?.pauseInput(false)
    }

    private func tellAll(_ message: String) {
        for watcher in watchers {
            watcher.tell(message)
        }
    }

    // MARK: - Pass-through

    /// Offers a socket of our own to other programs: the VMM's serves one client, and that is us.
    private func offerPassThrough(in folder: String) {
        let stream = definition.key.stream == .console0 ? "" : "." + definition.key.stream.text
        let identity = VMIdentity(name: definition.key.name, uuid: nil, namespace: definition.key.namespace)
        let path = folder + "/" + identity.directoryName + stream + ".sock"
        do throws(SystemError) {
            passThrough = try PassiveSocket(path: path, loop: shard.loop) { [unowned self] descriptor in
                let peer = try? UnixSocket.peer(of: descriptor.raw)
                let who = peer.map { "process \($0.process) of user \($0.user)" } ?? "a program"
                attach(descriptor, as: .write, who: who)
            }
            passThroughPath = path
        } catch {
            hub.capture.diagnostics.say(.warning, "console \(definition.key.name): no socket for others: \(error)")
        }
    }
}
