// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

/// A file with a secret: a password, a shared key, a token.
///
/// Its path is the administrator's, and symbolic links are followed: Kubernetes mounts each key of a secret as a link.
public enum SecretFile {
    /// Maximum size of a secret, in bytes.
    public static let limit = 64 << 10

    /// The secret: the file's contents without an LF or CR LF at their end.
    ///
    /// Throws when the file cannot be read, is not a regular file, has more than `limit` bytes, or contains no secret. The
    /// error names the file and what to do.
    public static func contents(of path: String, limit: Int = limit) throws(SystemError) -> [UInt8] {
        // Non-blocking: opening a FIFO would wait for a writer.
        let number = gl_open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0)
        guard number >= 0 else {
            throw unreadable(path, SystemError("open", path))
        }
        let file = Descriptor(owning: number)
        let kind = try FileAttributes(of: number, path).kind
        guard kind == .regular else {
            let reason = "it is \(kind); use a regular file with the secret"
            throw SystemError("read the secret in", path, code: EINVAL, reason: reason)
        }
        var bytes: [UInt8]
        do throws(SystemError) {
            bytes = try file.readToEnd(limit: limit + 1)
        } catch {
            throw unreadable(path, error)
        }
        guard bytes.count <= limit else {
            let reason = "it has more than \(limit) bytes; use a file that contains only the secret"
            throw SystemError("read the secret in", path, code: EFBIG, reason: reason)
        }
        if bytes.last == UInt8(ascii: "\n") {
            bytes.removeLast()
            if bytes.last == UInt8(ascii: "\r") {
                bytes.removeLast()
            }
        }
        guard !bytes.isEmpty else {
            throw SystemError("read the secret in", path, code: EINVAL, reason: "it is empty; write the secret to it")
        }
        return bytes
    }

    /// The bearer token in a file: its bytes that a token can have, which are printable ASCII without spaces.
    public static func token(in path: String) throws(SystemError) -> String {
        let token = try contents(of: path).filter { $0 > 0x20 && $0 < 0x7f }
        guard !token.isEmpty else {
            throw SystemError("read the token in", path, code: EINVAL, reason: "it is blank; write the token to it")
        }
        return String(decoding: token, as: UTF8.self)
    }

    private static func unreadable(_ path: String, _ error: SystemError) -> SystemError {
        let remedy: String? =
            switch error.code {
            case ENOENT: "create the file with the secret"
            case EACCES, EPERM: "let the user that this program runs as read the file"
            default: nil
            }
        let reason = remedy.map { "\(error.reason); \($0)" } ?? error.reason
        return SystemError("read the secret in", path, code: error.code, reason: reason)
    }
}
