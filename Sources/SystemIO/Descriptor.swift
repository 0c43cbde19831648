// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

/// A file descriptor with one owner, closed when the owner is deinitialized.
public struct Descriptor: ~Copyable, Sendable {
    /// The number, valid as long as the owner.
    public let raw: Int32

    public init(owning raw: Int32) {
        self.raw = raw
    }

    deinit {
        _ = close(raw)
    }

    /// A new file without a name, for reading and writing, in the folder at `path`.
    public static func unnamedFile(in path: String) throws(SystemError) -> Descriptor {
        // O_TMPFILE, which Glibc's module does not define.
        let flags = 0o20_000_000 | O_DIRECTORY | O_RDWR | O_CLOEXEC
        return Descriptor(owning: try systemCall("create a file in", path) { gl_open(path, flags, 0o600) })
    }

    /// Gives up ownership: the caller closes the descriptor.
    public consuming func release() -> Int32 {
        let raw = raw
        discard self
        return raw
    }

    /// A second descriptor of the same open file, closed on exec.
    public func duplicate() throws(SystemError) -> Descriptor {
        Descriptor(owning: try systemCall("dup") { gl_fcntl(raw, F_DUPFD_CLOEXEC, 0) })
    }

    /// Sets or clears O_NONBLOCK.
    public func setNonBlocking(_ on: Bool = true) throws(SystemError) {
        let flags = try systemCall("fcntl") { gl_fcntl(raw, F_GETFL, 0) }
        let wanted = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK
        if wanted != flags {
            try systemCall("fcntl") { gl_fcntl(raw, F_SETFL, Int(wanted)) }
        }
    }

    /// Sets or clears FD_CLOEXEC.
    func setCloseOnExec(_ on: Bool = true) throws(SystemError) {
        try systemCall("fcntl") { gl_fcntl(raw, F_SETFD, on ? Int(FD_CLOEXEC) : 0) }
    }

    /// Reads to the end, or the first `limit` bytes.
    public func readToEnd(limit: Int = .max) throws(SystemError) -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < limit {
            var failure: SystemError?
            let piece = [UInt8](unsafeUninitializedCapacity: min(limit - bytes.count, 64 << 10)) { buffer, filled in
                let count = read(raw, buffer.baseAddress, buffer.count)
                failure = count < 0 ? SystemError("read") : nil
                filled = max(0, count)
            }
            if let failure {
                guard failure.code == EINTR else {
                    throw failure
                }
                continue
            }
            guard !piece.isEmpty else {
                break
            }
            bytes += piece
        }
        return bytes
    }

    public static func socketPair() throws(SystemError) -> DescriptorPair {
        var ends: [Int32] = [-1, -1]
        try systemCall("socketpair") { gl_socket_pair(&ends) }
        return DescriptorPair(first: Descriptor(owning: ends[0]), second: Descriptor(owning: ends[1]))
    }

    public static func pipe(flags: Int32 = O_CLOEXEC) throws(SystemError) -> DescriptorPair {
        var ends: [Int32] = [-1, -1]
        try systemCall("pipe") { gl_pipe(&ends, flags) }
        return DescriptorPair(first: Descriptor(owning: ends[0]), second: Descriptor(owning: ends[1]))
    }
}

/// Two related descriptors: a pipe's ends, a socket pair.
public struct DescriptorPair: ~Copyable, Sendable {
    public var first: Descriptor
    public var second: Descriptor

    /// The first one; the second is closed.
    public consuming func takeFirst() -> Descriptor {
        first
    }
}
