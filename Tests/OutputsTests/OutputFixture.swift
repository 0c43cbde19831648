// SPDX-License-Identifier: Apache-2.0

import HTTPClient
import LogModel
import LogStore
import NIOConcurrencyHelpers
import SystemIO
import TestSupport
import Testing

@testable import Outputs

/// A store that a test writes, and outputs of it.
final class OutputFixture: Sendable {
    private let folder = NIOLockedValueBox(TemporaryFolder())
    let store: Store
    let notifier = CommitNotifier()
    private let state: NIOLockedValueBox<State>

    private struct State: @unchecked Sendable {
        // The writers are used under the lock only.
        var vms: [String: VMStore] = [:]
        var services: [OutputService] = []
        var problems: [String: String] = [:]
        var now: Timestamp
    }

    /// A store whose first text is received just after `now`.
    init(now: Timestamp = Timestamp(microseconds: 1_763_658_005_000_000)) {
        state = NIOLockedValueBox(State(now: now))
        store = Store(root: folder.withLockedValue { $0.path } + "/store")
        mkdir(store.root)
    }

    deinit {
        let services = state.withLockedValue { $0.services }
        let folder = self.folder.withLockedValue { $0 }
        // Outputs end on Swift's cooperative threads, one of which this may be.
        _ = try? WorkerThread(name: "stop") {
            services.forEach { $0.stop(within: Self.stopLimit) }
            withExtendedLifetime(folder) {}
        }
    }

    private static let stopLimit = 120

    /// Stops `service`, however long a busy machine needs for that.
    func stop(_ service: OutputService) async throws {
        let hasStopped = NIOLockedValueBox(false)
        _ = try WorkerThread(name: "stop") {
            service.stop(within: Self.stopLimit)
            hasStopped.withLockedValue { $0 = true }
        }
        #expect(await awaits { hasStopped.withLockedValue { $0 } })
    }

    private func mkdir(_ path: String) {
        do throws(SystemError) {
            try LinuxFileSystem().makeDirectory(path)
        } catch {
            Issue.record("\(error)")
        }
    }

    var path: String { folder.withLockedValue { $0.path } }
    var problems: [String: String] { state.withLockedValue { $0.problems } }

    /// Appends text to a stream and commits it.
    func append(
        _ text: String,
        vm: String = "web",
        _ stream: StreamName = .console0,
        properties: StreamProperties = StreamProperties()
    ) throws {
        try append(Array(text.utf8), vm: vm, stream, properties: properties)
    }

    func append(
        _ bytes: [UInt8],
        vm: String = "web",
        _ stream: StreamName = .console0,
        properties: StreamProperties = StreamProperties()
    ) throws {
        try withWriter(vm, stream, properties) { writer, now in
            try bytes.withUnsafeBytes { try writer.append($0, time: now) }
        }
        notifier.notify(StreamID(vm: vm, stream: stream))
    }

    /// Adds a marker.
    func mark(_ detail: RecordDetail, vm: String = "web", _ stream: StreamName = .console0) throws {
        try withWriter(vm, stream, StreamProperties()) { writer, now in try writer.mark(detail, time: now) }
        notifier.notify(StreamID(vm: vm, stream: stream))
    }

    /// Closes the active pair of a stream, so that what follows begins another.
    func roll(vm: String = "web", _ stream: StreamName = .console0) throws {
        try withWriter(vm, stream, StreamProperties()) { writer, _ in writer.roll() }
    }

    /// Deletes a VM, and removes its log as retention does.
    func remove(vm: String = "web") throws {
        try state.withLockedValue { state in
            try state.vms.removeValue(forKey: vm)?.end(at: state.now)
            state.now = state.now.advanced(byMicroseconds: 1_000_000)
            _ = try Retention(store: store, deletedAge: 1000).enforceAll(now: state.now)
        }
    }

    private func withWriter(
        _ vm: String,
        _ stream: StreamName,
        _ properties: StreamProperties,
        _ body: (StreamWriter, Timestamp) throws -> Void
    ) throws {
        try state.withLockedValue { state in
            let opened = try state.vms[vm] ?? VMStore(store: store, name: vm, hostBoot: "boot", now: state.now)
            state.vms[vm] = opened
            state.now = state.now.advanced(byMicroseconds: 1000)
            try body(try opened.open(stream, properties: properties, now: state.now), state.now)
        }
    }

    /// Starts outputs with these settings.
    @discardableResult
    func start(_ settings: OutputSettings...) throws -> OutputService {
        let service = OutputService(
            settings,
            store: store,
            notifier: notifier,
            diagnostics: Diagnostics(threshold: .error, sink: { _, _ in })
        ) { [state] output, problem in
            state.withLockedValue { $0.problems[output] = problem }
        }
        service.start()
        state.withLockedValue { $0.services.append(service) }
        return service
    }
}

extension OutputSettings {
    /// An output of everything that is stored, without a pause.
    static func all(_ destination: DestinationSettings, name: String = "test") -> OutputSettings {
        var settings = OutputSettings(name: StreamName(name)!, destination: destination)
        settings.startsAtBeginning = true
        settings.interval = 1000
        return settings
    }

    static func elasticsearch(_ url: String, name: String = "test") -> OutputSettings {
        .all(.elasticsearch(ElasticsearchSettings(HTTPOutputSettings(HTTPEndpoint(url)!))), name: name)
    }

    static func otlp(_ url: String, json: Bool = true) -> OutputSettings {
        var settings = OTLPSettings(HTTPOutputSettings(HTTPEndpoint(url)!))
        settings.usesJSON = json
        return .all(.otlp(settings))
    }

    static func loki(_ url: String) -> OutputSettings {
        .all(.loki(LokiSettings(HTTPOutputSettings(HTTPEndpoint(url)!))))
    }
}
