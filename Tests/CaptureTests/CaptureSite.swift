// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import LogStore
import SystemIO
import TestSupport
import Testing

@testable import Capture

/// A shard's result for a waiting thread.
private final class Answer<Value>: @unchecked Sendable {
    var result: Result<Value, any Error>?
}

/// Streams that are opened and closed, with capture alone: no console, no hub.
final class Site {
    let folder = TemporaryFolder()
    let fileSystem = FaultyFileSystem()
    private let clock: any HostClock
    private let threshold: DiagnosticLevel
    /// The messages that the service logs: by default warnings and errors.
    let notices = Notices()
    private(set) var capture: CaptureService

    /// `left` fills the rings of `crashes` processes that died before they committed.
    init(
        clock: any HostClock = SystemClock(),
        threshold: DiagnosticLevel = .warning,
        crashes: Int = 1,
        left: (InflightRing) throws -> Void = { _ in }
    ) throws {
        let inflight = folder.path + "/inflight"
        mkdir(inflight, 0o700)
        let boot = ProcFile.bootID
        for number in 1...crashes {
            let path = inflight + "/\(number)-0.ring"
            try left(InflightRing(path: path, capacity: 1 << 20, hostBoot: boot, store: folder.path + "/store"))
        }
        (self.clock, self.threshold) = (clock, threshold)
        capture = try Self.start(folder.path, fileSystem, clock, threshold, notices)
    }

    /// A service that begins with everything that `killed` would leave if it were killed now.
    init(after killed: Site) throws {
        let copy = try ChildProgram.run(["cp", "-a", killed.folder.path + "/.", folder.path])
        try #require(copy.status == 0, "\(copy)")
        (clock, threshold) = (SystemClock(), .warning)
        capture = try Self.start(folder.path, fileSystem, clock, threshold, notices)
    }

    deinit { capture.stop() }

    private static func start(
        _ folder: String,
        _ fileSystem: FaultyFileSystem,
        _ clock: any HostClock,
        _ threshold: DiagnosticLevel,
        _ notices: Notices
    ) throws -> CaptureService {
        var options = CaptureService.Options(store: folder + "/store", inflight: folder + "/inflight")
        options.shards = 1
        options.fileSystem = fileSystem
        options.clock = clock
        let capture = try CaptureService(
            options,
            diagnostics: Diagnostics(threshold: threshold, sink: { notices.add($1) })
        )
        try capture.start()
        return capture
    }

    /// Stops the service and starts a new one.
    func restart() throws {
        capture.stop()
        capture = try Self.start(folder.path, fileSystem, clock, threshold, notices)
    }

    /// Runs `body` on the shard's thread and waits for it.
    func onShard<Result: Sendable>(_ body: @escaping @Sendable (CaptureService, Shard) throws -> Result) throws
        -> Result
    {
        let done = OneShot()
        let answer = Answer<Result>()
        let capture = capture
        let shard = capture.shards[0]
        shard.loop.post {
            answer.result = Swift.Result { try body(capture, shard) }
            done.signal()
        }
        done.wait()
        return try #require(answer.result).get()
    }

    /// A stream's whole life: opened, fed with `text`, closed.
    func write(_ text: String, by key: StreamKey, options: StreamOptions = StreamOptions(rate: nil)) throws {
        try onShard { capture, shard in
            let intake = try capture.open(key, options: options, on: shard)
            Array(text.utf8).withUnsafeBytes { intake.put($0) }
            intake.close()
        }
    }

    func stored(_ vm: String) throws -> StoredText {
        try StoredText(of: StreamID(vm: vm, stream: .console0), in: Store(root: folder.path + "/store"))
    }

    /// Whether a VM was closed cleanly and is not open.
    func isClosed(_ vm: String) -> Bool {
        let state = try? LinuxFileSystem().contents(of: folder.path + "/store/" + vm + "/writer.json")
        return state.flatMap { $0 }.map { String(decoding: $0, as: UTF8.self).contains("\"host_boot\":null") } ?? false
    }

    /// The number of rings in the runtime folder.
    var rings: Int {
        let names = (try? LinuxFileSystem().names(in: folder.path + "/inflight")) ?? []
        return names.count { $0.hasSuffix(".ring") }
    }

    func text(_ vm: String) -> String {
        String(decoding: (try? stored(vm).bytes) ?? [], as: UTF8.self)
    }
}

extension InflightRing {
    /// Publishes bytes that no writer commits.
    func leave(_ text: String, slot: Int) throws {
        let room = try #require(reserve())
        room.copyBytes(from: text.utf8)
        publish(text.utf8.count, kind: .data, slot: slot, time: 1_700_000_000_000_000)
    }
}

/// An intake, accessed on its shard's thread only.
final class Opened: @unchecked Sendable {
    var intake: StreamIntake?
}
