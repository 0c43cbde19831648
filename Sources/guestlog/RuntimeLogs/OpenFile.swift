// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO

/// A file that a command reads or writes; `-` is standard input.
final class OpenFile {
    let path: String
    private let descriptor: Descriptor

    /// Opens a file to be read.
    init(reading path: String) throws(SystemError) {
        self.path = path == "-" ? "standard input" : path
        let raw = try systemCall("open", path) {
            path == "-" ? dup(STDIN_FILENO) : Glibc.open(path, O_RDONLY | O_CLOEXEC)
        }
        descriptor = Descriptor(owning: raw)
    }

    /// Opens a file to be written, which is created with these permissions when there is none.
    init(writing path: String, _ flags: Int32, permissions: mode_t) throws(SystemError) {
        self.path = path
        let all = flags | O_WRONLY | O_CREAT | O_NOCTTY | O_CLOEXEC
        descriptor = Descriptor(owning: try systemCall("open", path) { Glibc.open(path, all, permissions) })
    }

    var raw: Int32 { descriptor.raw }

    /// The regular file that it is; nil for others.
    var identity: FileIdentity? {
        (try? FileAttributes(of: raw)).flatMap { $0.kind == .regular ? $0.identity : nil }
    }

    /// The file's size in bytes; nil when it is no file.
    var size: Int? {
        (try? FileAttributes(of: raw)).flatMap { $0.kind == .regular ? $0.size : nil }
    }

    /// All that follows.
    func contents() throws(SystemError) -> [UInt8] { try descriptor.readToEnd() }

    /// Reads the next bytes, at most as many as `buffer` has; empty at the end.
    func read(_ buffer: inout [UInt8]) throws(SystemError) -> ArraySlice<UInt8> {
        let count = try systemCall("read", path) { Glibc.read(descriptor.raw, &buffer, buffer.count) }
        return buffer[..<count]
    }
}
