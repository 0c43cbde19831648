// SPDX-License-Identifier: Apache-2.0

import LogModel
import SystemIO

/// The identity of a store, independent of its path: 32 random hexadecimal digits in the store's file `.id`, created
/// with the first write and never changed.
///
/// Data that one process leaves for the next, such as in-flight data, refers to its store by this.
public struct StoreIdentity: Hashable, Sendable {
    public let text: String

    public static let length = 32
    /// The file's name, which no VM's folder has: those never begin with a dot.
    static let file = ".id"
    /// How many milliseconds the file's lock is waited for: another process holds it for one small write.
    private static let wait = 2000

    /// The identity of `store`, whose folder must exist; created when there is none.
    public init(of store: Store) throws(SystemError) {
        let path = store.root + "/" + Self.file
        let file = try StoredFile(path, .create, on: store.fileSystem)
        if let known = try Self.read(file) {
            text = known
            return
        }
        guard file.lock(within: Self.wait) else {
            throw SystemError("lock", path, code: SystemError.wouldBlock)
        }
        // Another process may have created it.
        if let known = try Self.read(file) {
            text = known
            return
        }
        text = Self.random()
        try file.truncate(to: 0)
        try file.write(at: 0, Array(text.utf8) + [Lines.feed])
        try file.synchronize()
    }

    /// Throws when the identity of `store` exists and cannot be opened.
    public static func checkAccess(to store: Store) throws(SystemError) {
        let path = store.root + "/" + file
        if store.fileSystem.status(path) != nil {
            _ = try StoredFile(path, .update, on: store.fileSystem)
        }
    }

    private static func read(_ file: StoredFile) throws(SystemError) -> String? {
        let bytes = try file.read(at: 0, count: length + 1)
        let digits = String(decoding: bytes.dropLast(), as: UTF8.self)
        guard bytes.count == length + 1, bytes.last == Lines.feed, [UInt8](hexadecimal: digits)?.hexadecimal == digits
        else {
            return nil
        }
        return digits
    }

    private static func random() -> String {
        (0..<length / 2).map { _ in UInt8.random(in: 0...255) }.hexadecimal
    }
}
