// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import SystemIO
import TestSupport
import TestTraits
import Testing

@testable import Capture

/// Two daemons over one store: libvirt's log daemon has a VM's console, `guestlog serve` the records of its agent.
@Suite(.blocking) struct SharedStoreTests {
    private let folder = TemporaryFolder()
    private let vm = VMIdentity(name: "web", uuid: "6ba7b810-9dad-11d1-80b4-00c04fd430c8")
    private let guest = StreamName("guest")!

    private func start(_ name: String) throws -> CaptureService {
        var options = CaptureService.Options(store: folder.path + "/store", inflight: folder.path + "/" + name)
        options.shards = 1
        let capture = try CaptureService(options, diagnostics: Diagnostics(threshold: .error, sink: { _, _ in }))
        try capture.start()
        try capture.awaitStore()
        return capture
    }

    private func text(_ stream: StreamName) throws -> String {
        let stored = try StoredText(
            of: StreamID(vm: vm.directoryName, stream: stream),
            in: Store(root: folder.path + "/store")
        )
        return String(decoding: stored.bytes, as: UTF8.self)
    }

    private func print(_ words: String, on capture: CaptureService) throws {
        let (key, shard) = (StreamKey(vm: vm, stream: .console0), capture.shards[0])
        let isOpen = shard.loop.perform {
            let intake = try? capture.open(key, options: StreamOptions(), on: shard)
            Array(words.utf8).withUnsafeBytes { intake?.put($0) }
            intake?.close()
            return intake != nil
        }
        #expect(isOpen)
    }

    private func record(_ line: String) throws -> RecordBatch {
        var batch = RecordBatch(received: Timestamp(microseconds: 1_700_000_000_000_000))
        #expect(try batch.append(Array(line.utf8)))
        return batch
    }

    @Test("both store what they get of a VM, whichever begins, and while the other is replaced")
    func both() throws {
        let serve = try start("serve")
        defer { serve.stop() }
        var expected = ("", "")
        let records = try serve.openRecords(StreamKey(vm: vm, stream: guest), options: RecordOptions())
        for round in 0..<3 {
            let daemon = try start("virtlogd")
            for (part, line) in ["a", "b"].enumerated() {
                let number = round * 2 + part
                try print("\(line)\(number)\n", on: daemon)
                try records.append(record("{\"n\":\"\(number)\"}"))
                expected.0 += "\(line)\(number)\n"
                expected.1 += "{\"n\":\"\(number)\"}\n"
                #expect(try eventually { try text(.console0) == expected.0 && text(guest) == expected.1 })
            }
            daemon.stop()
        }
        records.close()
    }

    @Test("while another process changes a VM's metadata its console waits, others do not, and nothing is lost")
    func suspended() throws {
        let capture = try start("serve")
        defer { capture.stop() }
        try print("first\n", on: capture)
        #expect(try eventually { try text(.console0) == "first\n" && !isOpen })
        let path = folder.path + "/store/" + vm.directoryName + "/lock"
        let lock = try StoredFile(path, .create, on: LinuxFileSystem())
        #expect(lock.lock(number: 0, within: 60_000))
        try print("second\n", on: capture)
        try print("third\n", on: capture)
        let other = StreamKey(name: "other")
        let shard = capture.shards[0]
        _ = shard.loop.perform {
            let intake = try? capture.open(other, options: StreamOptions(), on: shard)
            Array("other\n".utf8).withUnsafeBytes { intake?.put($0) }
            intake?.close()
            return intake != nil
        }
        let store = Store(root: folder.path + "/store")
        let id = StreamID(vm: "other", stream: .console0)
        #expect(try eventually { try StoredText(of: id, in: store).bytes == Array("other\n".utf8) })
        #expect(try text(.console0) == "first\n")
        lock.unlock(number: 0)
        #expect(try eventually { try text(.console0) == "first\nsecond\nthird\n" })
        let stored = try StoredText(of: StreamID(vm: vm.directoryName, stream: .console0), in: store)
        #expect(stored.gaps.isEmpty)
    }

    /// Whether the VM is open in a service.
    private var isOpen: Bool {
        let state = try? LinuxFileSystem().contents(of: folder.path + "/store/" + vm.directoryName + "/writer.json")
        return
            !(state.flatMap { $0 }.map { String(decoding: $0, as: UTF8.self).contains("\"host_boot\":null") } ?? false)
    }
}
