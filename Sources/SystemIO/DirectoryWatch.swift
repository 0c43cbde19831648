// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

/// Watches folders and files for changes (inotify).
///
/// Where the kernel refuses another instance or watch (its limits are per user), the initialiser or `add` throws and
/// the caller polls instead.
public final class DirectoryWatch: Sendable {
    /// A change.
    public struct Event: Hashable, Sendable {
        /// The watch, as returned by `add`.
        public var watch: Int32
        /// The file's name within a watched folder; empty for the watched file itself.
        public var name: String
        public var mask: UInt32

        /// Whether events were lost, so that everything must be scanned again.
        public var isOverflow: Bool { mask & UInt32(IN_Q_OVERFLOW) != 0 }

        /// Whether the watched folder itself was deleted, moved or unmounted, so that its path has to be watched again.
        public var isFolderGone: Bool {
            mask & UInt32(IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED | IN_UNMOUNT) != 0
        }
    }

    private let inotify: Descriptor

    /// An instance without watches; its descriptor does not block.
    public init() throws(SystemError) {
        inotify = Descriptor(owning: try systemCall("inotify_init") { gl_inotify() })
    }

    public var descriptor: Int32 { inotify.raw }

    /// Changes to a folder's entries: created, moved in or out, deleted; and the folder itself deleted or moved.
    public static let entries =
        UInt32(IN_CREATE) | UInt32(IN_MOVED_TO) | UInt32(IN_MOVED_FROM) | UInt32(IN_DELETE)
        | UInt32(IN_DELETE_SELF) | UInt32(IN_MOVE_SELF)
    /// Changes to entries, and writes to the files.
    public static let entriesAndWrites = entries | UInt32(IN_MODIFY)

    public func add(_ path: String, mask: UInt32) throws(SystemError) -> Int32 {
        try systemCall("inotify_add_watch", path) { inotify_add_watch(inotify.raw, path, mask) }
    }

    public func remove(_ watch: Int32) {
        _ = inotify_rm_watch(inotify.raw, watch)
    }

    /// All pending events, in order.
    public func drain() -> [Event] {
        var events: [Event] = []
        let headerSize = MemoryLayout<inotify_event>.size
        withUnsafeTemporaryAllocation(byteCount: 16_384, alignment: 8) { buffer in
            while true {
                let count = read(inotify.raw, buffer.baseAddress!, buffer.count)
                guard count > 0 else {
                    return
                }
                var offset = 0
                while offset + headerSize <= count {
                    let header = buffer.loadUnaligned(fromByteOffset: offset, as: inotify_event.self)
                    let nameBytes = buffer[(offset + headerSize)..<(offset + headerSize + Int(header.len))]
                    let name = String(decoding: nameBytes.prefix { $0 != 0 }, as: UTF8.self)
                    events.append(Event(watch: header.wd, name: name, mask: header.mask))
                    offset += headerSize + Int(header.len)
                }
            }
        }
        return events
    }

    /// Sleeps until there are events, or until `milliseconds` have passed (-1: no limit).
    public func wait(milliseconds: Int32) {
        var poll = pollfd(inotify.raw)
        _ = Glibc.poll(&poll, 1, milliseconds)
    }
}

extension SystemError {
    /// Whether an instance of `DirectoryWatch` (EMFILE) or a watch (ENOSPC) was refused at one of the kernel's limits
    /// (inotify_init(2), inotify_add_watch(2)).
    public var isWatchLimit: Bool { [EMFILE, ENOSPC].contains(code) }

    /// What to do about a limit, to be added to a message; empty when no limit was the reason.
    public var watchRemedy: String {
        switch code {
        case EMFILE:
            "; raise fs.inotify.max_user_instances with sysctl(8), or this program's limit of open files (ulimit -n, "
                + "LimitNOFILE=)"
        case ENOSPC: "; raise fs.inotify.max_user_watches with sysctl(8)"
        default: ""
        }
    }
}
