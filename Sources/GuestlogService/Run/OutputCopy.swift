// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc
import Synchronization
import SystemIO

/// Copies a console's output to a descriptor on a thread of its own, because a write to a terminal, pipe or file can
/// block for any time. What the target does not take stays in the source, a socket that the hub bounds.
final class OutputCopy: Sendable {
    /// Readable once the copy has ended, because the source has.
    let ended: Descriptor
    private let source: Descriptor
    private let target: Int32
    private let counts = Mutex(Counts())

    private struct Counts {
        var read = 0
        var written = 0
        var failure: SystemError?
    }

    private static let pieceSize = 16 << 10

    /// Begins to copy what `source` receives to `target`, which the caller owns.
    init(from source: consuming Descriptor, to target: Int32) throws(SystemError) {
        let pipe = try Descriptor.pipe()
        ended = try pipe.first.duplicate()
        self.source = source
        self.target = target
        let end = try pipe.second.duplicate().release()
        _ = try WorkerThread(name: "output") {
            self.copyAll()
            close(end)
        }
    }

    /// The socket, to which input is written.
    var console: Int32 { source.raw }
    /// Bytes written so far. Those that cannot be written, because the target is closed, are counted too.
    var written: Int { counts.withLock(\.written) }
    /// Bytes that were received and not written so far.
    var unwritten: Int { counts.withLock { $0.read - $0.written } + Int(max(0, gl_bytes_waiting(source.raw))) }
    /// Why the target takes nothing any more; what comes after is discarded.
    var failure: SystemError? { counts.withLock(\.failure) }

    private func copyAll() {
        var buffer = [UInt8](repeating: 0, count: Self.pieceSize)
        while true {
            var ready = pollfd(source.raw)
            _ = poll(&ready, 1, -1)
            let count = read(source.raw, &buffer, buffer.count)
            guard count > 0 else {
                if count < 0, errno == EAGAIN || errno == EINTR {
                    continue
                }
                return
            }
            counts.withLock { $0.read += count }
            write(buffer[..<count])
        }
    }

    private func write(_ piece: ArraySlice<UInt8>) {
        var rest = piece
        while !rest.isEmpty {
            let isOpen = failure == nil
            let written = isOpen ? rest.withUnsafeBytes { Glibc.write(target, $0.baseAddress, $0.count) } : rest.count
            if written >= 0 {
                counts.withLock { $0.written += written }
                rest = rest.dropFirst(written)
            } else if errno == EAGAIN {
                var writable = pollfd(target, POLLOUT)
                _ = poll(&writable, 1, -1)
            } else if errno != EINTR {
                let error = SystemError("write", "standard output")
                counts.withLock { $0.failure = error }
            }
        }
    }
}
