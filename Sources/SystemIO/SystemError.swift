// SPDX-License-Identifier: Apache-2.0

import Glibc

/// A failed system call: the operation, its subject, and the reason.
public struct SystemError: Error, Hashable, Sendable, CustomStringConvertible {
    public var code: Int32
    /// The operation, such as `open` or `connect`.
    public var operation: String
    /// Its subject: a path, an address; empty when there is none.
    public var subject: String
    /// The reason, where the errno value does not say enough.
    private var explanation: String?

    /// The failure of `operation` on `subject` with errno `code`, by default the calling thread's errno; `reason` where
    /// that does not say enough.
    public init(_ operation: String, _ subject: String = "", code: Int32 = errno, reason: String? = nil) {
        self.code = code
        self.operation = operation
        self.subject = subject
        explanation = reason
    }

    /// The same failure, told of `subject`, and as that of `operation` if that is given.
    public func of(_ subject: String, operation: String? = nil) -> SystemError {
        var error = self
        error.subject = subject
        error.operation = operation ?? error.operation
        return error
    }

    /// The reason in words.
    public var reason: String { explanation ?? String(cString: strerror(code)) }

    public var description: String {
        return subject.isEmpty ? "\(operation): \(reason)" : "\(operation) \(subject): \(reason)"
    }
}

extension SystemError {
    public static let notFound = ENOENT
    /// The call would block; for a lock: it is held.
    public static let wouldBlock = EWOULDBLOCK
    /// What another process holds for a moment.
    public static let busy = EBUSY
    static let nameTooLong = ENAMETOOLONG
    public static let inputOutput = EIO
    public static let notSupported = ENOTSUP
    public static let notPermitted = EPERM

    /// Whether the same call may succeed later, or for another file: the disk is full or fails, a limit of file size is
    /// reached, a file server does not answer, memory or descriptors are short.
    public var isTransient: Bool {
        [ENOSPC, EDQUOT, EFBIG, EIO, EROFS, ESTALE, ETIMEDOUT, ENOMEM, EMFILE, ENFILE].contains(code)
    }
}

/// Repeats `body` while it fails with EINTR; a result below 0 otherwise becomes a `SystemError`.
@discardableResult
public func systemCall<Result: SignedInteger>(
    _ operation: @autoclosure () -> String,
    _ subject: @autoclosure () -> String = "",
    _ body: () -> Result
) throws(SystemError) -> Result {
    while true {
        let result = body()
        if result >= 0 {
            return result
        }
        let code = errno
        if code != EINTR {
            throw SystemError(operation(), subject(), code: code)
        }
    }
}
