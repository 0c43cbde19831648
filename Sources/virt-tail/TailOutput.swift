// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO

/// Standard output, written without waiting for its reader: what it does not accept is kept, and nothing more must be
/// written until that is.
///
/// A pipe or a socket is made non-blocking while the program runs. A terminal is not, because other programs use it too:
/// it is asked before each small write. A regular file accepts all.
final class TailOutput {
    enum Status: Equatable {
        case ready
        /// The reader does not read, or the disk is full for the moment.
        case blocked
        /// There is no reader any more.
        case closed
    }

    private enum Kind {
        case pipe, terminal, file
    }

    private let descriptor: Descriptor
    private let kind: Kind
    private var backlog: [UInt8] = []
    private var written = 0
    private(set) var status = Status.ready
    /// The error of the last write other than a full pipe.
    private(set) var error: SystemError?

    /// A terminal that is writable accepts this many bytes without blocking.
    private static let terminalPiece = 1024

    /// Output to `descriptor`, which is closed at the end.
    init(_ descriptor: consuming Descriptor) throws(SystemError) {
        switch (try? FileAttributes(of: descriptor.raw))?.kind {
        case .fifo, .socket: kind = .pipe
        case .characterDevice where isatty(descriptor.raw) == 1: kind = .terminal
        default: kind = .file
        }
        if kind == .pipe {
            try descriptor.setNonBlocking()
        }
        self.descriptor = descriptor
    }

    /// Standard output itself stays open for other processes that share it.
    deinit {
        if kind == .pipe {
            try? descriptor.setNonBlocking(false)
        }
    }

    /// To wait on for the end of the reader, and while `status` is `.blocked` for the possibility to write.
    var raw: Int32 { descriptor.raw }

    /// Whether poll(2) tells when a blocked output can be written: it says of a file on a full disk that it can.
    var isPollable: Bool { error == nil }

    /// Writes `bytes`; what is not accepted at once is kept. To be called only while `status` is `.ready`.
    func write(_ bytes: UnsafeRawBufferPointer) {
        let done = attempt(bytes)
        if done < bytes.count, status != .closed {
            backlog.append(contentsOf: bytes[done...])
        }
    }

    /// Writes what is kept; returns whether some of it was accepted.
    @discardableResult
    func flush() -> Bool {
        guard status == .blocked else {
            return false
        }
        status = .ready
        let done = backlog.withUnsafeBytes { attempt(UnsafeRawBufferPointer(rebasing: $0[written...])) }
        written += done
        if written == backlog.count {
            backlog.removeAll()
            written = 0
        }
        return done > 0
    }

    /// Bytes that are kept.
    var kept: Int { backlog.count - written }

    private func attempt(_ bytes: UnsafeRawBufferPointer) -> Int {
        var done = 0
        while done < bytes.count {
            guard kind != .terminal || isWritable else {
                status = .blocked
                return done
            }
            let size = kind == .terminal ? min(Self.terminalPiece, bytes.count - done) : bytes.count - done
            let count = Glibc.write(descriptor.raw, bytes.baseAddress! + done, size)
            if count >= 0 {
                done += count
                error = nil
            } else if errno != EINTR {
                let code = errno
                error = code == EAGAIN ? nil : SystemError("write", "standard output", code: code)
                status = code == EAGAIN || error?.isTransient == true ? .blocked : .closed
                return done
            }
        }
        return done
    }

    private var isWritable: Bool {
        var request = pollfd(descriptor.raw, POLLOUT)
        return poll(&request, 1, 0) > 0 && request.revents & Int16(POLLOUT) != 0
    }
}
