// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

/// Receives signals through a descriptor (signalfd(2)).
public struct SignalQueue: ~Copyable {
    private let descriptor: Descriptor

    /// From now on `signals` are queued here, for all threads that the calling one starts.
    public init(_ signals: [Int32]) throws(SystemError) {
        descriptor = Descriptor(owning: try systemCall("signalfd") { gl_signalfd(signals, signals.count) })
    }

    /// Readable while a signal is pending.
    public var raw: Int32 { descriptor.raw }

    /// The next signal within `milliseconds`, or without a limit; nil when there is none.
    public func next(milliseconds: Int32 = -1) -> Int32? {
        var polled = pollfd(raw)
        return poll(&polled, 1, milliseconds) > 0 ? take() : nil
    }

    /// The pending signal; nil when there is none.
    public func take() -> Int32? {
        // `struct signalfd_siginfo`, which begins with the number.
        withUnsafeTemporaryAllocation(byteCount: 128, alignment: 8) { buffer in
            read(raw, buffer.baseAddress, buffer.count) > 0 ? buffer.load(as: Int32.self) : nil
        }
    }
}
