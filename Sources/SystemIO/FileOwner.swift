// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

/// The user as which a thread of root accesses files (credentials(7)): its files belong to that user, and it has that
/// user's rights only. Other threads are not affected.
public struct FileOwner: Hashable, Sendable {
    public var user: UInt32
    public var group: UInt32

    /// The owner of the file at `path`, if that is another user than this process's and this process may act as it.
    public init?(of path: String) {
        guard geteuid() == 0, let file = try? FileAttributes(following: path), file.owner != 0 else {
            return nil
        }
        (user, group) = (file.owner, file.group)
    }

    /// From now on the calling thread accesses files as that user.
    public func become() {
        gl_set_file_owner(user, group)
    }

    /// Runs `body` with that user's file access.
    func perform<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
        let before = FileOwner(user: gl_file_user(), group: gl_file_group())
        guard before != self else {
            return try body()
        }
        become()
        defer { before.become() }
        return try body()
    }

    /// Runs `body` as `owner`; as the calling thread is, when that is nil.
    public static func perform(as owner: FileOwner?, _ body: () -> Void) {
        if let owner {
            owner.perform(body)
        } else {
            body()
        }
    }

    /// Runs `body` with the file access of the process's own user.
    public static func asProcess<Result, Failure: Error>(
        _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try FileOwner(user: geteuid(), group: getegid()).perform(body)
    }

    /// Runs `body`, which creates the file at `path`, so that the file belongs to the owner of its folder where that is
    /// not root: a daemon of that user must be able to use what a command of root leaves there. Where that user may not
    /// create it, the calling thread's own does.
    @discardableResult
    public static func create<Result>(
        at path: String,
        _ body: () throws(SystemError) -> Result
    ) throws(SystemError) -> Result {
        guard gl_file_user() == 0, let owner = FileOwner(of: DirectoryHandle.split(path).directory) else {
            return try body()
        }
        do throws(SystemError) {
            return try owner.perform(body)
        } catch  where error.code == EACCES || error.code == EPERM {
            return try body()
        }
    }

    private init(user: UInt32, group: UInt32) {
        (self.user, self.group) = (user, group)
    }
}
