// SPDX-License-Identifier: Apache-2.0

import Capture
import Glibc
import LogModel
import LogStore
import SystemIO
import TestSupport
import Testing
import Transforms

@testable import RuntimeSources

/// A store, and a capture that sources feed.
final class SourceFixture {
    let folder = TemporaryFolder()
    private(set) var capture: CaptureService
    private let fileSystem: any FileSystem

    init(fileSystem: any FileSystem = LinuxFileSystem()) throws {
        self.fileSystem = fileSystem
        capture = try Self.start(folder.path, fileSystem)
    }

    deinit {
        capture.stop()
    }

    private static func start(_ folder: String, _ fileSystem: any FileSystem) throws -> CaptureService {
        var options = CaptureService.Options(store: folder + "/store", inflight: folder + "/inflight")
        options.shards = 1
        options.fileSystem = fileSystem
        options.quota = { _ in Quota(bytes: 1 << 30) }
        let capture = try CaptureService(options, diagnostics: Diagnostics(threshold: .error, sink: { _, _ in }))
        try capture.start()
        try capture.awaitStore()
        return capture
    }

    func restart() throws {
        capture.stop()
        capture = try Self.start(folder.path, fileSystem)
    }

    /// The stream of `source`.
    static let key = StreamKey(vm: source().vm, stream: source().stream)

    /// Stores a line of a console in the stream of `source`, which takes no records then.
    func storeConsole() throws {
        let intake = try capture.openRecords(Self.key, options: .console)
        let text = Array("login:\n".utf8)
        try intake.append(RecordBatch(console: text, received: Timestamp(microseconds: 0), position: nil))
        intake.close()
    }

    static func source(_ name: String = "test", vm: String = "host") -> SourceDefinition {
        SourceDefinition(
            name: name,
            kind: .journal(JournalOptions()),
            tag: "t",
            vm: VMIdentity(name: vm),
            stream: StreamName("runtime")!
        )
    }

    func importing(_ origin: Import.Origin, _ name: String = "test") throws -> Int {
        try outcome(of: origin, name).records
    }

    func outcome(of origin: Import.Origin, _ name: String = "test") throws -> Import.Outcome {
        try Import.run(origin, as: Self.source(name), pipeline: Pipeline(), into: capture, onProgress: { _ in })
    }

    /// Reads `input` as a process of its own does, until `isDone`; its mark may be older than its records.
    func read(_ source: SourceDefinition, _ input: any SourceInput, until isDone: () throws -> Bool) throws {
        let run = SourceRun(
            source,
            input,
            pipeline: Pipeline(),
            into: capture,
            interruption: try Interruption()
        )
        try run.begin()
        let isRead = try eventually {
            _ = try run.step()
            return try isDone()
        }
        #expect(isRead)
        run.close()
    }

    /// The stored lines of a VM.
    func lines(of vm: String = "host") throws -> [String] {
        var text: [UInt8] = []
        try readBatches(of: vm) { text += $0.block.text[Int($0.start - $0.block.offset)...] }
        return text.split(separator: Lines.feed).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The number of losses that are recorded between them.
    func gapCount(of vm: String) throws -> Int {
        var count = 0
        try readBatches(of: vm) { count += $0.block.records[$0.firstRecord...].count { $0.flags.contains(.gap) } }
        return count
    }

    private func readBatches(of vm: String, _ body: (Batch) throws -> Void) throws {
        let store = Store(root: folder.path + "/store")
        guard store.vm(in: vm) != nil else {
            return
        }
        let batches = StreamBatches(store.reader(of: StreamID(vm: vm, stream: StreamName("runtime")!)), from: .start)
        while let batch = try batches.next() {
            try body(batch)
        }
    }

    /// The file `name` of the folder, with these bytes.
    func write(_ bytes: [UInt8], _ name: String) throws -> String {
        let path = folder.path + "/" + name
        let file = try StoredFile(path, .create, on: LinuxFileSystem())
        try file.truncate(to: 0)
        try file.write(at: 0, bytes)
        return path
    }

    func write(_ text: String, _ name: String) throws -> String { try write(Array(text.utf8), name) }
}
