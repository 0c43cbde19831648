// SPDX-License-Identifier: Apache-2.0

import Capture
import ConsoleHub
import Libvirt
import LogModel
import LogStore
import NIOPosix
import Query
import SystemIO

/// What the handlers of the daemon's requests work with.
final class APIContext: Sendable {
    let server: ServerContext
    let capture: CaptureService
    let hub: ConsoleHub
    /// What libvirt reports about its VMs.
    let domains: DomainDirectory
    /// The outputs; nil: none is configured.
    let outputs: (any OutputControl)?
    /// The character sets of consoles, as configured now.
    let charsets: @Sendable () -> CharsetRules
    /// The state of the collector of guests' logs; nil: there is none.
    let collector: @Sendable () -> JSON?
    let consoleTokens = ConsoleTokens()
    let version: String
    /// When the daemon started.
    let started: Timestamp
    /// The interval between pings to a WebSocket client.
    let pingInterval: Duration
    /// Threads that wait for the daemon's own threads, and never for files.
    private let controlThreads = NIOThreadPool(numberOfThreads: 2)

    init(
        server: ServerContext,
        capture: CaptureService,
        hub: ConsoleHub,
        domains: DomainDirectory,
        outputs: (any OutputControl)?,
        charsets: @escaping @Sendable () -> CharsetRules,
        collector: @escaping @Sendable () -> JSON?,
        version: String,
        pingInterval: Duration
    ) {
        self.server = server
        self.capture = capture
        self.hub = hub
        self.domains = domains
        self.outputs = outputs
        self.charsets = charsets
        self.collector = collector
        self.version = version
        self.pingInterval = pingInterval
        started = server.now
        controlThreads.start()
    }

    deinit {
        controlThreads.shutdownGracefully { _ in }
    }

    var tokens: TokenRegister { server.tokens }
    var sessions: Sessions { server.sessions }
    var now: Timestamp { server.now }

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
