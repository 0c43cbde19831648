// SPDX-License-Identifier: Apache-2.0

import Capture
import LogModel
import SystemIO

/// What the collector knows of one VM: its logs, its connections, its rate. Lives on the collector's loop.
final class GuestState {
    let vm: VMIdentity
    private let capture: CaptureService
    private unowned let loop: EventLoop
    private var meter: GuestMeter
    /// Messages about its faults, whose words it can vary without end.
    private var faultMeter: RateMeter

    private static let faultLimit = RateLimit(rate: 1, burst: 10)
    private var logs: [StreamName: GuestLog] = [:]
    /// The open connections.
    var connections: [CollectorConnection] = []
    /// Closes everything, while there is no connection.
    var idleTimer: EventLoop.TimerToken?

    init(_ vm: VMIdentity, capture: CaptureService, loop: EventLoop, limits: GuestLimits) {
        self.vm = vm
        self.capture = capture
        self.loop = loop
        let now = capture.clock.monotonicMicroseconds()
        meter = GuestMeter(limits, now: now)
        faultMeter = RateMeter(Self.faultLimit, now: now)
    }

    /// The log of one stream, opened at its first use, and again after it was refused: the reason may have been removed.
    func log(_ stream: StreamName) throws(CaptureService.OpenError) -> GuestLog {
        if let log = logs[stream], log.failure == nil {
            return log
        }
        logs[stream]?.close()
        let log = try GuestLog(StreamKey(vm: vm, stream: stream), capture: capture, loop: loop)
        logs[stream] = log
        return log
    }

    /// Whether the guest is within its rates.
    func allows() -> Bool {
        meter.allows(at: capture.clock.monotonicMicroseconds())
    }

    /// Whether the guest takes so much of the thread's time that even what must not wait is not read.
    var isExhausted: Bool { meter.isExhausted(at: capture.clock.monotonicMicroseconds()) }

    /// Counts the thread's time since it was `start`, in nanoseconds.
    func spend(since start: Int64) {
        meter.spend(nanoseconds: SystemClock.threadNanoseconds() - start)
    }

    func spend(bytes: Int, records: Int) {
        meter.spend(bytes: bytes, records: records)
    }

    /// Logs a fault of the guest, unless it had many just now.
    func logFault(_ message: @autoclosure () -> String) {
        if faultMeter.allows(at: capture.clock.monotonicMicroseconds()) {
            faultMeter.spend(1)
            capture.diagnostics.log(.warning, message())
        }
    }

    /// Closes its streams; what was accepted is still committed.
    func close() {
        logs.values.forEach { $0.close() }
        logs.removeAll()
    }
}
