// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import LogStore
import SystemIO

/// Makes stores of a given text without the detour over sockets: the store's own writer and sealer, on a clock that
/// runs as fast as they do.
struct StoreMaker {
    /// Bytes of one record: what a busy stream is coalesced to.
    static let recordBytes = 4096
    /// Microseconds from one record to the next.
    static let interval: Int64 = 100_000
    /// When every made store begins: 2026-11-01T00:00:00Z.
    static let beginning: Int64 = 1_793_491_200_000_000

    private let store: Store
    private let vm: VMStore
    private let writer: StreamWriter
    private let sealer: Sealer
    private let id: StreamID
    private var time = StoreMaker.beginning
    private var sealed = 0

    /// A store with one VM, `vm`, in `folder`.
    init(in folder: String) throws {
        store = Store(root: folder)
        try Machine.makeFolder(folder)
        _ = try StoreIdentity(of: store)
        let quota = Quota(bytes: 1 << 40)
        let now = Timestamp(microseconds: Self.beginning)
        vm = try VMStore(store: store, name: "vm", hostBoot: "bench", now: now)
        writer = try vm.open(.console0, now: now)
        sealer = Sealer(store: store, retention: Retention(store: store, quota: { _ in quota }), clock: SystemClock())
        id = StreamID(vm: "vm", stream: .console0)
    }

    /// Appends `text` as one record, an interval after the last.
    mutating func append(_ text: UnsafeRawBufferPointer) throws {
        try writer.append(text, time: Timestamp(microseconds: time))
        time += Self.interval
        for base in writer.takeClosedPairs() {
            try sealer.seal(base, of: id)
            sealed += 1
            if sealed.isMultiple(of: StoreLimits.blocksPerSegment) {
                try sealer.synchronize()
            }
        }
    }

    /// Seals what is left, and syncs.
    func finish() throws {
        writer.roll()
        for base in writer.takeClosedPairs() {
            try sealer.seal(base, of: id)
        }
        try sealer.synchronize()
        try vm.closeCleanly()
    }

    /// Cuts `text` into records of about `size` bytes that end with a line, and gives them to `body`.
    static func records(
        of text: UnsafeRawBufferPointer,
        size: Int = recordBytes,
        _ body: (UnsafeRawBufferPointer) throws -> Void
    ) rethrows {
        var start = 0
        while start < text.count {
            var end = min(text.count, start + size)
            while end < text.count, text[end - 1] != UInt8(ascii: "\n") {
                end += 1
            }
            try body(UnsafeRawBufferPointer(rebasing: text[start..<end]))
            start = end
        }
    }
}

/// A store of so many GB of the application corpus, made once for all rows that use it.
struct LargeStore {
    /// The store's folder.
    let folder: String
    /// Bytes of text.
    let bytes: Int
    /// The last moment.
    var end: Int64 {
        StoreMaker.beginning + Int64(bytes / StoreMaker.recordBytes) * StoreMaker.interval
    }

    /// A line that stands in it once every 100 MB.
    static let needle = "kernel: BUG: soft lockup needle-8f3c21 CPU#3 stuck for 23s! [worker:3001]\n"
    private static let needleEvery = 100_000_000
    /// Text that is made; a longer store repeats it, which its blocks of 256 KiB cannot notice.
    private static let corpusBytes = 64 << 20

    init(gigabytes: Int) throws {
        folder = Machine.folder + "/large-\(gigabytes)g"
        bytes = gigabytes * 1_000_000_000
        guard access(folder + "/complete", F_OK) != 0 else {
            return
        }
        complain("making \(folder)")
        Machine.remove(folder)
        let corpus = Corpus.application(bytes: Self.corpusBytes)
        var maker = try StoreMaker(in: folder)
        var done = 0
        var nextNeedle = Self.needleEvery
        try corpus.withUnsafeBytes { text in
            while done < bytes {
                try StoreMaker.records(of: text) { record in
                    guard done < bytes else {
                        return
                    }
                    try maker.append(record)
                    done += record.count
                    if done > nextNeedle {
                        nextNeedle += Self.needleEvery
                        try Array(Self.needle.utf8).withUnsafeBytes { try maker.append($0) }
                        done += Self.needle.utf8.count
                    }
                }
            }
        }
        try maker.finish()
        try Machine.write("", to: folder + "/complete")
    }

    /// Its sealed segments.
    var segments: [String] {
        Machine.files(below: folder).filter { $0.hasSuffix(".log.zst") }.sorted()
    }
}
