// SPDX-License-Identifier: Apache-2.0

import Capture
import ConsoleHub
import Glibc
import LogModel
import LogStore
import SystemIO

/// One stream from a socket to the store, as fast as it goes without loss; the rate limit is off.
///
/// For comparison, the cost of the same bytes for a thread that only reads them with epoll, and for one that only writes
/// as much into files of the same size: their sum is the minimum.
enum Ingest {
    static var rows: [Row] {
        let targets = ["stored": "≥ 400", "CPU of shard and writer": "≤ 0.8", "CPU all in": "≤ 3"]
        return [
            Row("ingest-bulk", targets: targets) { try measure(bulk: true, in: Machine.freshFolder("ingest")) },
            Row("ingest-lines", targets: targets) { try measure(bulk: false, in: Machine.freshFolder("ingest")) },
            // The same without a disk, whose file system, not we, sets the pace above.
            Row("ingest-bulk-tmpfs", targets: targets) {
                try measure(bulk: true, in: Machine.freshMemoryFolder("ingest"))
            },
            Row("ingest-lines-tmpfs", targets: targets) {
                try measure(bulk: false, in: Machine.freshMemoryFolder("ingest"))
            },
        ]
    }

    private static let bulkBytes = 1_000_000_000
    private static let lineBytes = 300_000_000

    private static func measure(bulk: Bool, in folder: String) throws -> [Measure] {
        let wanted = getenv("GUESTLOG_BENCH_BYTES").flatMap { Int(String(cString: $0)) }
        let total = wanted ?? (bulk ? bulkBytes : lineBytes)
        defer { Machine.remove(folder) }
        var options = CaptureService.Options(store: folder + "/store", inflight: try Machine.freshRuntimeFolder())
        options.quota = { _ in Quota(bytes: 1 << 40) }
        let capture = try CaptureService(options, diagnostics: Diagnostics(threshold: .error))
        let hub = try ConsoleHub(
            ConsoleHub.Options(table: folder + "/consoles.json"),
            capture: capture,
            manager: ServiceManager()
        )
        try capture.start()
        try hub.start()
        let key = StreamKey(name: "vm")
        let pair = try Descriptor.socketPair()
        let shared = try SharedCounter()
        let sender = try startSender(bulk, total, to: pair.first.raw, shared)
        let before = ProcessUsage()
        let start = Machine.now
        let definition = try ConsoleHub.Definition(key: key, endpoint: .inherited, rate: nil)
        hub.add(definition, descriptor: try pair.second.duplicate())
        Machine.wait("until all is stored") {
            usleep(200)
            guard let statistics = capture.statistics()[key] else {
                return false
            }
            guard statistics.dropped == 0 else {
                Machine.fail("\(statistics.dropped) bytes were dropped: the rate is too high")
            }
            shared.value = Int(statistics.stored)
            return statistics.stored == total
        }
        let seconds = Machine.now - start
        let drained = ProcessUsage()
        let stream = folder + "/store/vm/console0"
        Machine.wait("until all is sealed") {
            usleep(20_000)
            return Machine.entries(of: stream).filter { $0.name.hasSuffix(".log") }.count <= 1
        }
        let sealed = ProcessUsage()
        sender.wait()
        hub.stop().forEach { close($0.descriptor) }
        capture.stop()
        func perGigabyte(_ usage: ProcessUsage, _ prefixes: String...) -> Double {
            let used = prefixes.reduce(0) { $0 + usage.cpu(of: $1) - before.cpu(of: $1) }
            return used / (Double(total) / 1e9)
        }
        return [
            Measure("stored", "MB/s", Double(total) / 1e6 / seconds),
            Measure("CPU of shard and writer", "s/GB", perGigabyte(drained, "gl-shard", "gl-writer")),
            Measure("CPU of shard", "s/GB", perGigabyte(drained, "gl-shard")),
            Measure("CPU of writer", "s/GB", perGigabyte(drained, "gl-writer")),
            Measure("CPU all in", "s/GB", perGigabyte(sealed, "gl-shard", "gl-writer", "gl-sealer")),
            Measure("CPU of epoll and read alone", "s/GB", try bareReadCost(bulk, total) * 1e9 / Double(total)),
            Measure("CPU of pwrite alone", "s/GB", try bareWriteCost(folder + "/bare", total) * 1e9 / Double(total)),
        ]
    }

    private static func startSender(
        _ bulk: Bool,
        _ total: Int,
        to socket: Int32,
        _ shared: SharedCounter
    ) throws -> ChildProcess {
        let sender = try ChildProcess.own(
            ["play", "stream-sender", bulk ? "bulk" : "lines", String(total)],
            capturesOutput: true,
            passing: [socket, shared.descriptor.raw]
        )
        // It reports when it is ready.
        _ = sender.readOutput()
        return sender
    }

    /// CPU seconds of a thread that reads as much, up to 64 KiB whenever epoll reports input.
    private static func bareReadCost(_ bulk: Bool, _ total: Int) throws -> Double {
        let pair = try Descriptor.socketPair()
        let shared = try SharedCounter()
        shared.value = .max / 2
        let sender = try startSender(bulk, total, to: pair.first.raw, shared)
        let loop = try EventLoop()
        let reader = BareReader(pair.second.raw, total: total, loop: loop)
        _ = try loop.add(pair.second.raw, for: .readable, reader)
        let before = cpuOfThread
        loop.run()
        let used = cpuOfThread - before
        sender.wait()
        return used
    }

    /// CPU seconds of a thread that writes as much, 64 KiB at once, into files of 16 MiB: the least that any program
    /// needs to write these bytes.
    private static func bareWriteCost(_ folder: String, _ total: Int) throws -> Double {
        try Machine.makeFolder(folder)
        let text = Corpus.application(bytes: 64 << 10)
        let before = cpuOfThread
        for number in 0..<(total + bareFileSize - 1) / bareFileSize {
            let file = try Descriptor(owning: create(folder + "/\(number)"))
            let size = min(bareFileSize, total - number * bareFileSize)
            for start in stride(from: 0, to: size, by: text.count) {
                guard pwrite(file.raw, text, min(text.count, size - start), off_t(start)) > 0 else {
                    throw SystemError("pwrite")
                }
            }
        }
        return cpuOfThread - before
    }

    private static let bareFileSize = 16 << 20

    private static func create(_ path: String) throws -> Int32 {
        let file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o640)
        guard file >= 0 else {
            throw SystemError("open", path)
        }
        return file
    }

    private static var cpuOfThread: Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
}

private final class BareReader: EventHandler {
    private let descriptor: Int32
    private let loop: EventLoop
    private var left: Int
    private var buffer = [UInt8](repeating: 0, count: 64 << 10)

    init(_ descriptor: Int32, total: Int, loop: EventLoop) {
        self.descriptor = descriptor
        self.loop = loop
        left = total
    }

    func handle(_ readiness: Readiness) {
        left -= max(0, read(descriptor, &buffer, buffer.count))
        if left == 0 {
            loop.stop()
        }
    }
}
