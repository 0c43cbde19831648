import CLinux
import Glibc

/// As whom a thread of root's touches files (credentials(7)): what it makes is that user's, and it may do no more than
/// that user. Other threads stay as they are.
public struct FileOwner: Hashable, Sendable {
    /// The user.
    public var user: UInt32
    /// The group.
    public var group: UInt32

    /// The owner of what lies at `path`, if that is another than this process and this process may act for it.
    public init?(of path: String) {
        var status = stat()
        guard geteuid() == 0, stat(path, &status) == 0, status.st_uid != 0 else {
            return nil
        }
        (user, group) = (status.st_uid, status.st_gid)
    }

    /// From now on the calling thread is that user where files are concerned.
    public func become() {
        gl_set_file_owner(user, group)
    }

    /// Runs `body` as that user where files are concerned.
    public func perform<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
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

    /// Runs `body` as the process's own user where files are concerned.
    public static func asProcess<Result, Failure: Error>(
        _ body: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try FileOwner(user: geteuid(), group: getegid()).perform(body)
    }

    private init(user: UInt32, group: UInt32) {
        (self.user, self.group) = (user, group)
    }
}
