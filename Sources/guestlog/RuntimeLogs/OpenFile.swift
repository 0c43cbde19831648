// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO

/// A file that is named on the command line, to be read or written; `-` is standard input. What fails on it is an error of
/// the command line: another file may work, and a later try does not.
final class OpenFile {
    let path: String
    private let descriptor: Descriptor

    /// Opens a file to be read.
    init(reading path: String) throws(CommandLineError) {
        self.path = path == "-" ? "standard input" : path
        do {
            let raw = try systemCall("open", path) {
                path == "-" ? dup(STDIN_FILENO) : Glibc.open(path, O_RDONLY | O_CLOEXEC)
            }
            descriptor = Descriptor(owning: raw)
        } catch {
            throw CommandLineError(file: self.path, "cannot be opened", error)
        }
    }

    /// What comes from the file `path`, to be read from `descriptor`.
    init(_ path: String, owning descriptor: consuming Descriptor) {
        self.path = path
        self.descriptor = descriptor
    }

    /// Opens a file to be written, which is created with these permissions when there is none.
    init(writing path: String, _ flags: Int32, permissions: mode_t) throws(CommandLineError) {
        self.path = path
        let all = flags | O_WRONLY | O_CREAT | O_NOCTTY | O_CLOEXEC
        do {
            descriptor = Descriptor(owning: try systemCall("open", path) { Glibc.open(path, all, permissions) })
        } catch {
            throw CommandLineError(file: path, "cannot be opened for writing", error)
        }
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
    func contents() throws(CommandLineError) -> [UInt8] {
        do {
            return try descriptor.readToEnd()
        } catch {
            throw CommandLineError(file: path, "cannot be read", error)
        }
    }

    /// Reads the next bytes, at most as many as `buffer` has; empty at the end.
    func read(_ buffer: inout [UInt8]) throws(CommandLineError) -> ArraySlice<UInt8> {
        do {
            let count = try systemCall("read", path) { Glibc.read(descriptor.raw, &buffer, buffer.count) }
            return buffer[..<count]
        } catch {
            throw CommandLineError(file: path, "cannot be read", error)
        }
    }
}
