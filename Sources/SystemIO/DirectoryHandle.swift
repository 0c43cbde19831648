// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

/// A directory held by a descriptor (O_PATH). Names are looked up in the directory itself, independently of its path,
/// and a symbolic link in it is never followed.
///
/// A path may have two parts: the first, chosen by the administrator, where links are followed, and the rest, where
/// other users may create files and links are refused with ELOOP. The rest is opened one component at a time with
/// O_NOFOLLOW, so no link can be inserted between a check and a use. This corresponds to openat2(2)'s
/// RESOLVE_NO_SYMLINKS, and requires neither its kernel nor a seccomp filter that allows it.
public struct DirectoryHandle: ~Copyable, Sendable {
    /// The path it was opened by.
    public let path: String
    let descriptor: Descriptor

    /// Opens the directory at `path`. Links are followed in `trusted`, a prefix of it, and refused below; with nil they
    /// are followed everywhere. ELOOP: there is a link below `trusted`; EINVAL: there is `..`, or `trusted` is not a
    /// prefix.
    public init(_ path: String, trusted: String? = nil) throws(SystemError) {
        let base = trusted ?? path
        var handle = DirectoryHandle(
            path: base,
            Descriptor(owning: try systemCall("open", path) { gl_hold_at(AT_FDCWD, base, O_DIRECTORY) })
        )
        if trusted != nil {
            for name in try Self.components(of: path, below: base) {
                handle = try handle.directory(name)
            }
        }
        self.path = path
        descriptor = handle.descriptor
    }

    private init(path: String, _ descriptor: consuming Descriptor) {
        self.path = path
        self.descriptor = descriptor
    }

    /// The names from `base` to `path`.
    private static func components(of path: String, below base: String) throws(SystemError) -> [String] {
        var names = path.utf8.split(separator: UInt8(ascii: "/"))
        for name in base.utf8.split(separator: UInt8(ascii: "/")) {
            guard let first = names.first, first.elementsEqual(name) else {
                throw SystemError("open", path, code: EINVAL, reason: "it is not below \(base)")
            }
            names.removeFirst()
        }
        guard !names.contains(where: { $0.elementsEqual("..".utf8) }) else {
            throw SystemError("open", path, code: EINVAL, reason: "it contains ..")
        }
        return names.filter { !$0.elementsEqual(".".utf8) }.map { String(Substring($0)) }
    }

    /// The directory and the name in `path`.
    public static func split(_ path: String) -> (directory: String, name: String) {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else {
            return (".", path)
        }
        let directory = path.utf8[..<slash]
        let name = path.utf8[path.utf8.index(after: slash)...]
        return (directory.isEmpty ? "/" : String(Substring(directory)), String(Substring(name)))
    }

    /// `path` as an absolute path without repeated and final slashes, and `.`.
    public static func normalized(_ path: String) -> String {
        let names = path.utf8.split(separator: UInt8(ascii: "/")).filter { !$0.elementsEqual(".".utf8) }
        return "/" + names.map { String(Substring($0)) }.joined(separator: "/")
    }

    public func path(of name: String) -> String {
        path == "/" ? "/" + name : path + "/" + name
    }

    /// A path to the directory itself, for calls that accept no descriptor.
    public var procPath: String { "/proc/self/fd/\(descriptor.raw)" }

    public func attributes() throws(SystemError) -> FileAttributes {
        try FileAttributes(of: descriptor.raw, path)
    }

    /// The file `name`, without following a link; nil when there is none.
    public func attributes(of name: String) -> FileAttributes? {
        var status = stat()
        guard fstatat(descriptor.raw, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else {
            return nil
        }
        return FileAttributes(status)
    }

    public func directory(_ name: String) throws(SystemError) -> DirectoryHandle {
        let inner = gl_hold_at(descriptor.raw, name, O_DIRECTORY | O_NOFOLLOW)
        guard inner >= 0 else {
            let code = errno
            let isLink = code == ENOTDIR && attributes(of: name)?.kind == .link
            let reason = isLink ? "it is a symbolic link, which is not followed there" : nil
            throw SystemError("open", path(of: name), code: isLink ? ELOOP : code, reason: reason)
        }
        return DirectoryHandle(path: path(of: name), Descriptor(owning: inner))
    }

    /// Opens `name` with `flags` and, when it is created, permissions `mode`. ELOOP: it is a link.
    public func open(_ name: String, _ flags: Int32, mode: UInt32 = 0) throws(SystemError) -> Descriptor {
        Descriptor(
            owning: try systemCall("open", path(of: name)) {
                gl_open_at(descriptor.raw, name, flags | O_NOFOLLOW | O_CLOEXEC, mode)
            }
        )
    }

    /// Opens the regular file `name`; EINVAL: it is another kind of file. Never waits, as opening a FIFO could.
    public func openRegular(_ name: String, _ flags: Int32, mode: UInt32 = 0) throws(SystemError) -> Descriptor {
        let file = try open(name, flags | O_NONBLOCK, mode: mode)
        let attributes = try FileAttributes(of: file.raw, path(of: name))
        guard attributes.kind == .regular else {
            let reason = "it is \(attributes.kind), not a regular file"
            throw SystemError("open", path(of: name), code: EINVAL, reason: reason)
        }
        return file
    }

    /// Renames an entry, replacing an existing one.
    public func rename(_ name: String, to newName: String) throws(SystemError) {
        try systemCall("rename", path(of: name)) { renameat(descriptor.raw, name, descriptor.raw, newName) }
    }

    public func remove(_ name: String) throws(SystemError) {
        try systemCall("remove", path(of: name)) { unlinkat(descriptor.raw, name, 0) }
    }

    /// Removes the directory `name` and what is in it. A link is removed, not followed, also one that another user puts
    /// there meanwhile.
    public func removeTree(_ name: String) throws(SystemError) {
        let tree = try directory(name)
        for entry in try tree.names() {
            if tree.attributes(of: entry)?.isDirectory == true {
                try tree.removeTree(entry)
            } else {
                try tree.remove(entry)
            }
        }
        try systemCall("remove", path(of: name)) { unlinkat(descriptor.raw, name, AT_REMOVEDIR) }
    }

    /// The names of its entries that are valid UTF-8, in no order.
    public func names() throws(SystemError) -> [String] {
        var names: [String] = []
        try forEachName { bytes in
            String(validating: bytes, as: UTF8.self).map { names.append($0) }
        }
        return names
    }

    /// Calls `body` with each entry's name, as bytes, in no order. A name may be invalid UTF-8.
    public func forEachName(_ body: (UnsafeBufferPointer<UInt8>) -> Void) throws(SystemError) {
        let list = try open(".", O_RDONLY | O_DIRECTORY).release()
        guard let stream = fdopendir(list) else {
            let error = SystemError("read", path)
            close(list)
            throw error
        }
        defer { closedir(stream) }
        try DirectoryEntries.forEachName(in: stream, path, body)
    }
}
