// SPDX-License-Identifier: Apache-2.0

import Capture
import ConsoleHub
import Libvirt
import LogModel
import LogStore
import NIOPosix
import Query
import SystemIO

/// What the handlers of requests work with.
final class APIContext: Sendable {
    let capture: CaptureService
    let hub: ConsoleHub
    let tokens: TokenRegister
    /// What libvirt reports about its VMs.
    let domains: DomainDirectory
    /// The outputs; nil: none is configured.
    let outputs: (any OutputControl)?
    /// The character sets of consoles, as configured now.
    let charsets: @Sendable () -> CharsetRules
    let consoleTokens = ConsoleTokens()
    let sessions: Sessions
    let version: String
    /// When the daemon started.
    let started: Timestamp
    /// The interval between pings to a WebSocket client.
    let pingInterval: Duration
    /// Threads for reading files. Network clients have their own, so that they do not delay clients on this host.
    private let localThreads = ReaderThreads()
    private let networkThreads = ReaderThreads()
    /// Threads that wait for the daemon's own threads, and never for files.
    private let controlThreads = NIOThreadPool(numberOfThreads: 2)

    init(
        capture: CaptureService,
        hub: ConsoleHub,
        tokens: TokenRegister,
        domains: DomainDirectory,
        outputs: (any OutputControl)?,
        charsets: @escaping @Sendable () -> CharsetRules,
        sessions: Sessions,
        version: String,
        pingInterval: Duration
    ) {
        self.capture = capture
        self.hub = hub
        self.tokens = tokens
        self.domains = domains
        self.outputs = outputs
        self.charsets = charsets
        self.sessions = sessions
        self.version = version
        self.pingInterval = pingInterval
        started = Timestamp(microseconds: capture.clock.wallMicroseconds())
        controlThreads.start()
    }

    deinit {
        controlThreads.shutdownGracefully { _ in }
    }

    var now: Timestamp { Timestamp(microseconds: capture.clock.wallMicroseconds()) }

    /// Reads files for `caller`, as long as the response `isWanted`.
    func reader(for caller: Caller, isWanted: @escaping @Sendable () -> Bool) -> RequestReader {
        RequestReader(
            threads: caller.isLocal ? localThreads : networkThreads,
            client: caller.client,
            isWanted: isWanted
        )
    }

    /// Runs `body`, which waits for threads of the daemon but not for files, beside the cooperative thread pool.
    func control<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await controlThreads.runIfActive(body)
    }

    /// The store restricted to the VMs that the caller may see.
    func store(for caller: Caller) -> Store { capture.store.showing(caller.access.vms) }

    /// What libvirt reports about a VM.
    func domain(of vm: VMIdentity) -> Domain? {
        guard let uuid = vm.uuid else {
            return vm.namespace == nil ? domains.domain(named: vm.name) : nil
        }
        return domains.domain(uuid: uuid)
    }
}
