// SPDX-License-Identifier: Apache-2.0

import Capture
import Glibc
import LogModel
import LogStore
import SystemIO
import TestSupport
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
        try Import.run(origin, as: Self.source(name), pipeline: Pipeline(), into: capture, onProgress: { _ in })
    }

    /// The stored lines of a VM.
    func lines(of vm: String = "host") throws -> [String] {
        let store = Store(root: folder.path + "/store")
        let id = StreamID(vm: vm, stream: StreamName("runtime")!)
        guard store.vm(in: vm) != nil else {
            return []
        }
        var text: [UInt8] = []
        let batches = StreamBatches(store.reader(of: id), from: .start)
        while let batch = try batches.next() {
            text += batch.block.text[Int(batch.start - batch.block.offset)...]
        }
        return text.split(separator: Lines.feed).map { String(decoding: $0, as: UTF8.self) }
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
