// SPDX-License-Identifier: Apache-2.0

import Capture
import Glibc
import LogModel
import LogStore
import Synchronization
import SystemIO
import TestSupport

/// A source of records to be killed: feeds the streams `records0` … of the VM `vm` with numbered records, each from
/// where the store says that it was committed last, and ends when all are committed.
///
/// Arguments: the folder of the store, the number of records of each stream, and a pause between batches in
/// microseconds. The file `acknowledged` in the folder contains the number of acknowledged records of each stream.
@main
enum RecordFeeder {
    static func main() throws {
        let folder = CommandLine.arguments[1]
        let count = Int(CommandLine.arguments[2])!
        let pause = UInt32(CommandLine.arguments[3])!
        var options = CaptureService.Options(store: folder + "/store", inflight: folder + "/inflight")
        options.shards = 1
        options.quota = { _ in Quota(bytes: 1 << 30) }
        let capture = try CaptureService(options, diagnostics: Diagnostics(threshold: .error))
        try capture.start()
        let acknowledged = try AcknowledgedCounts(folder + "/acknowledged")
        let threads = try (0..<FedRecords.streams).map { stream in
            try WorkerThread(name: "source-\(stream)") {
                do {
                    try feed(stream, upTo: count, into: capture, pause, acknowledged)
                } catch {
                    print("stream \(stream): \(error)")
                    exit(1)
                }
            }
        }
        threads.forEach { $0.join() }
        capture.stop()
    }

    private static func feed(
        _ stream: Int,
        upTo count: Int,
        into capture: CaptureService,
        _ pause: UInt32,
        _ acknowledged: AcknowledgedCounts
    ) throws {
        let key = StreamKey(name: "vm", stream: FedRecords.name(of: stream))
        let intake = try capture.openRecords(key, options: RecordOptions())
        var next = try intake.resumePosition().flatMap(FedRecords.number) ?? 0
        while next < count {
            let now = Timestamp(microseconds: SystemClock().wallMicroseconds())
            var batch = RecordBatch(received: now)
            let end = min(count, next + Int.random(in: 1...200))
            while next < end,
                try batch.append(
                    FedRecords.line(stream, next),
                    ownTime: now,
                    position: FedRecords.position(after: next)
                )
            {
                next += 1
            }
            try intake.append(batch) { [next] in acknowledged[stream] = next }
            usleep(pause)
        }
        intake.close()
    }
}
