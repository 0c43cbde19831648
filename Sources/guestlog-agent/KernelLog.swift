// SPDX-License-Identifier: Apache-2.0

import Glibc
import GuestChannel
import LogModel
import SystemIO
import TextFormats

/// The kernel's log: reads /dev/kmsg from the first record that is not stored yet, and makes records of it.
final class KernelLog: AgentSource {
    private let device: Descriptor
    private let clock: any HostClock
    private let onRecord: (GuestRecord) -> Void
    /// The number of the next record; nil: whichever comes first.
    private var next: UInt64?

    /// Records read in one turn, before the connection has its own.
    private static let perTurn = 256

    /// `after`: the last record that is stored; nil: none since the boot.
    init(
        at path: String = "/dev/kmsg",
        after: UInt64?,
        clock: any HostClock = SystemClock(),
        onRecord: @escaping (GuestRecord) -> Void
    ) throws(SystemError) {
        self.clock = clock
        self.onRecord = onRecord
        next = after.map { $0 + 1 }
        device = Descriptor(
            owning: try systemCall("open", path) { open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC) }
        )
    }

    func begin(on loop: EventLoop) throws(SystemError) {
        _ = try loop.add(device.raw, for: .readable, self)
    }

    func readTurn() -> Bool {
        withUnsafeTemporaryAllocation(byteCount: KernelMessage.longest, alignment: 16) { buffer in
            for _ in 0..<Self.perTurn {
                let count = read(device.raw, buffer.baseAddress, buffer.count)
                guard count > 0 else {
                    // EPIPE: records were overwritten before they were read. The next number tells how many.
                    guard count < 0, errno == EPIPE || errno == EINTR else {
                        return false
                    }
                    continue
                }
                receive(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer)[..<count]))
            }
            return true
        }
    }

    func receive(_ bytes: UnsafeRawBufferPointer) {
        guard let message = KernelMessage(parsing: bytes) else {
            return
        }
        guard message.sequence >= next ?? 0 else {
            return
        }
        if let next, message.sequence > next {
            onRecord(lost(message.sequence - next))
        }
        next = message.sequence + 1
        var record = GuestRecord(
            severity: message.priority.severity,
            time: time(of: message),
            content: message.text,
            source: .kernel,
            facility: message.priority.facility
        )
        record.kernelSequence = message.sequence
        record.monotonic = message.microseconds
        if message.isFragment {
            record.fields.append(GuestRecord.Field(Array("_KERNEL_FRAGMENT".utf8), [UInt8(ascii: "1")]))
        }
        if let caller = message.caller {
            record.fields.append(GuestRecord.Field(Array("_KERNEL_CALLER".utf8), caller))
        }
        for attribute in message.attributes.prefix(GuestRecord.fieldLimit - record.fields.count) {
            record.fields.append(GuestRecord.Field(Array("_KERNEL_".utf8) + attribute.key, attribute.value))
        }
        onRecord(record)
    }

    private func lost(_ count: UInt64) -> GuestRecord {
        var record = GuestRecord(
            severity: .warning,
            time: clock.wallMicroseconds() * 1000,
            content: Array("\(count) kernel messages were overwritten before they were read".utf8),
            source: .agent
        )
        record.lost = count
        return record
    }

    /// The wall-clock time of a message, in nanoseconds: it has the time since boot.
    private func time(of message: KernelMessage) -> Int64 {
        let age = clock.monotonicMicroseconds() - Int64(clamping: message.microseconds)
        return (clock.wallMicroseconds() - age) * 1000
    }
}
