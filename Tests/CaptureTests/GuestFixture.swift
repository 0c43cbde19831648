// SPDX-License-Identifier: Apache-2.0

import Capture
import ConsoleHub
import Glibc
import LogModel
import LogStore
import SystemIO
import TestSupport
import Testing

/// Capture with one guest on a socket pair, over a file system whose faults are controlled, or over a real one that
/// fails.
final class GuestFixture {
    let folder = TemporaryFolder()
    let fileSystem = FaultyFileSystem()
    let capture: CaptureService
    let hub: ConsoleHub
    let key = StreamKey(name: "vm")
    private let guestEnd: Descriptor
    private var isStopped = false

    private let store: Store

    /// Stores in `folder`, or in `storeParent` when it is given; in-flight data are in `folder`, or in `runtime`. A `crowded`
    /// disk, which has `runtime`, is full when the guest's console is added. With `failing`, the file system fails with
    /// that errno from the beginning.
    init(
        rate: RateLimit? = nil,
        storing storeParent: String? = nil,
        runtime: String? = nil,
        crowded: SmallDisk? = nil,
        failing code: Int32? = nil
    ) throws {
        let root = (storeParent ?? folder.path) + "/store"
        store = Store(root: root)
        var options = CaptureService.Options(store: root, inflight: (runtime ?? folder.path) + "/inflight")
        options.shards = 1
        options.fileSystem = fileSystem
        options.quota = { _ in Quota(bytes: 1 << 30) }
        capture = try CaptureService(options, diagnostics: Diagnostics(threshold: .error, sink: { _, _ in }))
        let table = folder.path + "/held"
        hub = try ConsoleHub(ConsoleHub.Options(table: table), capture: capture, manager: ServiceManager())
        if let code {
            fileSystem.set(.failing(code))
        }
        try capture.start()
        try capture.awaitStore(ignoringRetriedErrors: true)
        try hub.start()
        crowded?.fill(leaving: 0)
        let pair = try Descriptor.socketPair()
        try pair.first.setNonBlocking(false)
        hub.add(
            try ConsoleHub.Definition(key: key, endpoint: .inherited, rate: rate),
            descriptor: try pair.second.duplicate()
        )
        guestEnd = try pair.first.duplicate()
    }

    deinit { stop() }

    func stop() {
        guard !isStopped else { return }
        isStopped = true
        fileSystem.set(.healthy)
        hub.stop()
        capture.stop()
    }

    func talk(lines: Int = .max, pace: UInt32 = 0) -> TalkingGuest {
        TalkingGuest(guestEnd.raw, limit: lines, pace: pace)
    }

    /// Prints `text` on the guest's console.
    func say(_ text: String) throws {
        let bytes = Array(text.utf8)
        let sent = bytes.withUnsafeBytes { Glibc.write(guestEnd.raw, $0.baseAddress, $0.count) }
        try #require(sent == bytes.count)
    }

    /// Ends the guest's console and gives the stream another; returns the other end of that.
    func replaceConsole() throws -> Int32 {
        #expect(hub.remove(key))
        let pair = try Descriptor.socketPair()
        try pair.first.setNonBlocking(false)
        hub.add(
            try ConsoleHub.Definition(key: key, endpoint: .inherited, rate: nil),
            descriptor: try pair.second.duplicate()
        )
        return try pair.first.duplicate().release()
    }

    func talk(lines: Int, to descriptor: Int32) -> TalkingGuest {
        TalkingGuest(descriptor, limit: lines)
    }

    func stored() throws -> StoredText {
        try StoredText(of: StreamID(vm: "vm", stream: .console0), in: store)
    }

    /// Waits until every byte that the guests wrote, one after another, is stored or counted in a closed gap.
    func expectAccounted(for guests: TalkingGuest...) throws {
        let written = guests.reduce(0) { $0 + $1.bytes }
        var last = try stored()
        let isComplete = try eventually {
            last = try stored()
            return last.bytes.count + last.lostBytes == written && last.gaps.last?.isClosed ?? true
        }
        #expect(isComplete, "\(written) written, \(last.bytes.count) stored, \(last.lostBytes) in gaps")
        guard guests.count == 1 else {
            return
        }
        let numbers = NumberedLines.numbers(in: last.bytes)
        #expect(zip(numbers, numbers.dropFirst()).allSatisfy { $0 < $1 }, "a line is duplicated or out of order")
        #expect(!last.bytes.contains(0))
    }
}
