// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import Synchronization
import SystemIO
import TestSupport
import TestTraits
import Testing
import Transforms

@testable import Capture
@testable import RuntimeSources

/// Sources that are stopped while the store takes nothing.
@Suite(.blocking) struct SourceStopTests {
    enum Kind: Sendable { case records, console, forward }

    private let fileSystem = FaultyFileSystem()
    private let fixture: SourceFixture

    init() throws {
        fixture = try SourceFixture(fileSystem: fileSystem)
    }

    private func begin(_ source: SourceDefinition) throws -> SourceService {
        guard case .console = source.kind else {
            return try SourceService([source], pipeline: Pipeline(), into: fixture.capture)
        }
        let service = try SourceService([], pipeline: Pipeline(), into: fixture.capture, followsFiles: true)
        service.setFiles([source])
        return service
    }

    private var endpoint: String { fixture.folder.path + "/forward" }

    private func source(_ kind: Kind, _ path: String) -> SourceDefinition {
        var source = SourceFixture.source()
        source.vmFields = []
        switch kind {
        case .records: source.kind = .files(path: path, .json, readsFromHead: true)
        case .console: source.kind = .console([ConsoleFile(id: "a", path: path, origin: "a", beginsBoot: false)])
        case .forward: source.kind = .forward(ForwardOptions(endpoint: .path(endpoint), hostName: "receiver"))
        }
        return source
    }

    /// More than waits for the store: `numbers`, each with 10,000 bytes.
    private func lines(_ numbers: Range<Int>) -> String {
        numbers.map { #"{"n":"\#($0)","x":"\#(String(repeating: "x", count: 10_000))"}"# + "\n" }.joined()
    }

    private func append(_ text: String, to path: String) {
        let file = Descriptor(owning: open(path, O_WRONLY | O_APPEND | O_CREAT, 0o600))
        let bytes = Array(text.utf8)
        #expect(write(file.raw, bytes, bytes.count) == bytes.count)
    }

    /// Sends the lines as one chunk, once the receiver listens.
    private func sendChunk(_ count: Int) throws {
        let lines = (0..<count).map { _ in String(repeating: "x", count: 10_000) }
        let chunk = try Pack.message(.packed, lines, chunk: "\(count)")
        var socket: Int32 = -1
        let isConnected = eventually {
            socket = (try? UnixSocket.connect(to: endpoint))?.release() ?? -1
            return socket >= 0
        }
        try #require(isConnected)
        let descriptor = Descriptor(owning: socket)
        try descriptor.setNonBlocking(false)
        #expect(write(descriptor.raw, chunk, chunk.count) == chunk.count)
    }

    @Test(
        "they end at once, and what was not taken is read again",
        arguments: [(Kind.records, false), (.records, true), (.console, false), (.console, true), (.forward, true)]
    )
    func stop(kind: Kind, isOpen: Bool) throws {
        defer { fileSystem.set(.healthy) }
        let path = fixture.folder.path + "/a.log"
        let definition = source(kind, path)
        let service = try begin(definition)
        if isOpen {
            kind == .forward ? try sendChunk(1) : append(lines(0..<1), to: path)
            #expect(try eventually { try fixture.lines().count == 1 })
        }
        fileSystem.set(.failing(EIO))
        kind == .forward ? try sendChunk(600) : append(lines(1..<600), to: path)
        // The source waits for space, or for its stream to be opened.
        #expect(
            eventually {
                let intake = fixture.capture.recordIntakes.withLock { $0[SourceFixture.key] }
                return intake.map { !isOpen || $0.isAwaited } ?? false
            }
        )
        let hasStopped = OneShot()
        let stopping = try WorkerThread(name: "stop") {
            service.stop()
            hasStopped.signal()
        }
        #expect(hasStopped.wait(seconds: 120))
        fileSystem.set(.healthy)
        stopping.join()
        guard kind != .forward else {
            return
        }
        let next = try begin(definition)
        let count = isOpen ? 600 : 599
        #expect(try eventually { try fixture.lines().count == count })
        next.stop()
        let numbers = try fixture.lines().map { try JSON(parsing: Array($0.utf8))["n"]?.text }
        #expect(numbers == (600 - count..<600).map(String.init))
    }

    @Test("a source that has been read ends too, though not all of it is committed")
    func finish() throws {
        defer { fileSystem.set(.healthy) }
        let path = try fixture.write(lines(0..<60), "a.json")
        let (definition, capture, fileSystem) = (source(.records, path), fixture.capture, fileSystem)
        let (isRead, hasEnded, interruption) = (OneShot(), OneShot(), try Interruption())
        let reading = try WorkerThread(name: "import") {
            defer { hasEnded.signal() }
            guard let input = try? ImportInput(path, .json, clock: SystemClock()) else {
                return
            }
            let run = SourceRun(
                definition,
                input,
                pipeline: Pipeline(),
                into: capture,
                interruption: interruption
            )
            run.onProgress = { count in
                // The stream is open, and takes what follows.
                fileSystem.set(.failing(EIO))
                if count == 60 {
                    isRead.signal()
                }
            }
            try? run.run()
        }
        #expect(isRead.wait(seconds: 120))
        interruption.raise()
        #expect(hasEnded.wait(seconds: 120))
        fileSystem.set(.healthy)
        reading.join()
    }
}
