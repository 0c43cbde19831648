import CLinux
import Glibc

/// A system call that failed: which, on what, and why.
public struct SystemError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The errno value.
    public var code: Int32
    /// The operation, as `open` or `connect`.
    public var operation: String
    /// What it was done to: a path, an address; empty when there is nothing to name.
    public var subject: String
    /// Why, where that is more than the errno value says.
    private var explanation: String?

    /// The failure of `operation` on `subject` with errno `code`, by default the calling thread's errno; `reason` where
    /// its words do not say why.
    public init(_ operation: String, _ subject: String = "", code: Int32 = errno, reason: String? = nil) {
        self.code = code
        self.operation = operation
        self.subject = subject
        explanation = reason
    }

    /// Why it failed, in words.
    public var reason: String { explanation ?? String(cString: strerror(code)) }

    public var description: String {
        return subject.isEmpty ? "\(operation): \(reason)" : "\(operation) \(subject): \(reason)"
    }
}

extension SystemError {
    /// There is no such file.
    public static let notFound = ENOENT
    /// It would have to be waited for; of a lock: somebody has it.
    public static let wouldBlock = EWOULDBLOCK
    /// The device failed.
    public static let inputOutput = EIO
    /// It cannot be done with what is there.
    public static let notSupported = ENOTSUP
    /// The caller may not do it.
    public static let notPermitted = EPERM

    /// Whether the same call may succeed later, though nobody changes a setting: the disk is full or fails, a server of
    /// files does not answer, memory or descriptors are short.
    public var isTransient: Bool {
        [ENOSPC, EDQUOT, EIO, EROFS, ESTALE, ETIMEDOUT, ENOMEM, EMFILE, ENFILE].contains(code)
    }
}

/// Calls `body` again while it fails with EINTR; a result below 0 otherwise becomes a `SystemError`.
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
