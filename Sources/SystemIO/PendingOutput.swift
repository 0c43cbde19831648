// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The bytes that a non-blocking descriptor has not accepted yet.
public struct PendingOutput: Sendable {
    private var bytes: [UInt8] = []
    /// Whether the descriptor may be a socket: send(2) raises no SIGPIPE, and fails for others.
    private var maySend = true

    public init() {}

    public var isEmpty: Bool { bytes.isEmpty }
    public var count: Int { bytes.count }
    /// What to wait for on a descriptor that is always read: also to be writable, while bytes are left.
    public var interest: Readiness { isEmpty ? .readable : [.readable, .writable] }

    public mutating func append(_ more: some Sequence<UInt8>) {
        bytes.append(contentsOf: more)
    }

    public mutating func removeAll() {
        bytes = []
    }

    /// Writes to `descriptor` as much as it accepts. Returns false when writing fails; the bytes are kept.
    public mutating func write(to descriptor: Int32) -> Bool {
        var written = 0
        defer { bytes.removeFirst(written) }
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { buffer in
                let rest = UnsafeRawBufferPointer(rebasing: buffer[written...])
                return maySend
                    ? send(descriptor, rest.baseAddress, rest.count, Int32(MSG_NOSIGNAL))
                    : Glibc.write(descriptor, rest.baseAddress, rest.count)
            }
            if count > 0 {
                written += count
            } else if count == 0 || errno == EAGAIN {
                return true
            } else if errno == ENOTSOCK {
                maySend = false
            } else if errno != EINTR {
                return false
            }
        }
        return true
    }
}
