// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO

/// Reads a log that another program rotates, as one text: each file from its beginning to its end, in order.
///
/// The caller decides when to read, told by a `LogFileWatch`: `next` returns what there is, and `.idle` when there is no
/// more. A line that a rotation divided continues in the bytes of the next file. Files that rotation removes before
/// they are read are held open, up to a limit; what is lost beyond it is a gap in its place. A truncated log
/// (`copytruncate`) is read to its end in its copy, where there is one.
///
/// The file and its folder may be missing, at any time. Owned by one thread.
public final class RotatingFileFollower {
    /// Where reading begins.
    public enum Start: Hashable, Sendable {
        /// With the oldest file that is not compressed.
        case oldest
        /// With the first byte of the live file.
        case live
        /// With the next byte that is written.
        case end
        /// After the bytes that were read before. When they cannot be found any more: with a gap, then the oldest.
        case position(FollowPosition)
    }

    public enum Event {
        /// The next bytes; valid until the buffer is used again.
        case bytes(UnsafeRawBufferPointer)
        /// What followed the bytes before is lost.
        case gap(FollowGap)
        case idle(FollowIdle)
    }

    public let path: String
    /// Maximum number of files that are held open to be read later: rotation does not remove their contents meanwhile.
    static let maximumHeld = 16

    let trustedFolder: String?
    let folderNames: FolderNames?
    /// How long a renamed file is read on while the next one has bytes already, in microseconds: programs that have it
    /// open may still write to it. They do not once the next one has been renamed too.
    public var rotateWait: Int64
    private let clock: any HostClock
    /// The renamed file that is read on, and the time when that ends (monotonic microseconds).
    private var awaited: (file: LogFileID, end: Int64)?
    /// After how many microseconds `next` goes on from a renamed file; nil: it does not wait for that.
    public private(set) var waitTime: Int64?
    /// nil once the first file has been found.
    var start: Start?
    var sequence = FileSequence()
    /// The file that is read, or that was read to its end while `opening` cannot be opened.
    var file: FollowedFile?
    /// The sequence's current file as long as it is not open yet.
    var opening: FileSequence.Entry?
    var held: [LogFileID: FollowedFile] = [:]
    /// The file at the path in the last scan; nil when there was none.
    var live: FileIdentity?
    /// The files of the last scan.
    var known: Set<LogFileID> = []
    /// The files that existed when the current one was begun or last truncated: none is a copy of its present contents.
    var noCopies: Set<LogFileID> = []
    var gaps: [FollowGap] = []
    /// Why the last scan failed, if it did: then it is not known whether anything follows what is open.
    var scanFailure: SystemError?
    /// The names of the compressed files that are older than the one with which reading began, the oldest first: they are
    /// not read.
    public internal(set) var compressedBefore: [String] = []
    /// The number of files that were begun: it rises where `next` returns the first bytes of another.
    public private(set) var fileCount = 0
    /// The number of times that a renamed file was left for the next one. Its last line may have no end, and a program
    /// that renames only between lines does not continue that in the next file.
    public private(set) var renameCount = 0
    /// The truncated file of which a copy is read: what was written to it since the copy continues the copy's text.
    var copied: LogFileID?
    /// Whether the current file was truncated and is read from its beginning, where there may be a hole.
    var mayBeginWithHole = false
    /// The number of times that the folder was scanned; only tests ask.
    var scanCount = 0
    private var offset: UInt64 = 0
    private var recent = RecentBytes()
    /// The bytes in the buffer before those that `next` returned last.
    private var bytesBefore = 0

    /// A follower of the log at `path`. Links are followed in `trustedFolder`, a prefix of the path, and refused below
    /// it; with nil they are followed except for the files themselves. `names` is shared by the followers of many logs in
    /// one folder. A renamed file is read on for `rotateWait` microseconds, before the next one.
    public init(
        _ path: String,
        trustedFolder: String? = nil,
        names: FolderNames? = nil,
        start: Start = .oldest,
        rotateWait: Int64 = 0,
        clock: any HostClock = SystemClock()
    ) {
        self.rotateWait = rotateWait
        self.clock = clock
        folderNames = names
        self.path = path
        self.trustedFolder = trustedFolder
        self.start = start
    }

    /// The next bytes, gap, or the reason why there are none. At most the buffer's size at once; no bytes after an empty
    /// file, where there is more.
    public func next(_ buffer: FollowBuffer) -> Event {
        do throws(SystemError) {
            return try nextEvent(buffer)
        } catch {
            return .idle(error.code == SystemError.notFound ? missing() : .failing(error))
        }
    }

    private func nextEvent(_ buffer: FollowBuffer) throws(SystemError) -> Event {
        waitTime = nil
        var begun = 0
        while true {
            try lookForFiles()
            if !gaps.isEmpty {
                return .gap(gaps.removeFirst())
            }
            if let entry = opening {
                guard try open(entry) else {
                    opening = lose(entry)
                    continue
                }
                opening = nil
                noteRename(to: entry.id)
                continue
            }
            if let file {
                if offset == 0, try continueInUnreadCopy(of: file) {
                    continue
                }
                guard let count = try read(file, into: buffer) else {
                    try restart(file)
                    continue
                }
                if count > 0 {
                    return .bytes(buffer.bytes(count))
                }
            }
            if live == nil || file.map({ !$0.id.isFile(live) }) ?? false, !knowsNext {
                // A file may have come and been renamed since, or copied and truncated.
                try lookForFiles(always: true)
            }
            if let file, try awaitsRest(of: file) {
                return .idle(.atEnd)
            }
            switch sequence.endReached(nextHasBytes: try nextHasBytes()) {
            case .wait: return .idle(scanFailure.map { .failing($0) } ?? (file == nil ? missing() : atEnd()))
            case .drain: continue
            case .next(.gap(let gap)): return .gap(gap)
            case .next(.file(let entry)):
                opening = entry
                begun += 1
                // Empty files without number must not keep the caller from what else it does.
                guard begun == 1 else {
                    return .bytes(buffer.bytes(0))
                }
            }
        }
    }

    /// Whether `file` has been renamed only now, so that it may get more bytes.
    private func awaitsRest(of file: FollowedFile) throws(SystemError) -> Bool {
        guard rotateWait > 0, !file.id.isFile(live), sequence.pending.count == 1 else {
            return false
        }
        let now = clock.monotonicMicroseconds()
        if awaited?.file != file.id {
            // What was written last long ago was renamed long ago, perhaps while nothing read.
            let age = clock.wallMicroseconds() - (try file.attributes().modifiedMicroseconds)
            awaited = (file.id, (-rotateWait..<rotateWait).contains(age) ? now + rotateWait : now)
        }
        let rest = (awaited?.end ?? now) - now
        waitTime = rest > 0 ? rest : nil
        return rest > 0
    }

    /// The next file is read.
    private func noteRename(to next: LogFileID) {
        if copied == nil {
            renameCount += 1
        } else if next == copied {
            copied = nil
        }
    }

    /// The file of `entry` is gone before it was read.
    private func lose(_ entry: FileSequence.Entry) -> FileSequence.Entry? {
        file = nil
        sequence.currentIsGone()
        gaps.append(FollowGap(.removed, bytes: entry.isLive ? nil : entry.size))
        return nil
    }

    private func missing() -> FollowIdle {
        guard let found = FileAttributes(at: path) else {
            return .missing(FileAttributes(at: folder) == nil ? folder : path)
        }
        // A regular file has come this moment.
        return found.kind == .regular ? .missing(path) : refusal(of: found.kind)
    }

    /// All is read. What has come to the path since may be something that is not read.
    private func atEnd() -> FollowIdle {
        guard live == nil, let found = FileAttributes(at: path), found.kind != .regular else {
            return .atEnd
        }
        return refusal(of: found.kind)
    }

    private func refusal(of kind: FileAttributes.Kind) -> FollowIdle {
        let remedy = kind == .link ? "; links are not followed there: use the path that it leads to" : ""
        let reason = "it is \(kind), not a regular file\(remedy)"
        return .failing(SystemError("open", path, code: EINVAL, reason: reason))
    }

    /// Opens files that rotation has made since the last call, without reading: for a reader that cannot read now.
    public func holdNewFiles() {
        try? lookForFiles()
    }

    // MARK: - The position

    /// The position after all bytes returned so far; nil before the first file was found.
    public var position: FollowPosition? {
        file.map { FollowPosition(file: $0.id, offset: offset, check: recent.check) }
    }

    /// The position `count` bytes before the end of the `total` bytes that `next` has just returned in `buffer`.
    public func position(before count: Int, of total: Int, in buffer: FollowBuffer) -> FollowPosition? {
        guard count > 0, let file else {
            return position
        }
        let range = (FollowBuffer.margin - bytesBefore)..<(FollowBuffer.margin + total - count)
        let known = UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(buffer.memory)[range])
        return FollowPosition(file: file.id, offset: offset - UInt64(count), check: ContentCheck(endOf: known))
    }

    // MARK: - Reading

    /// Reads what follows the offset; 0 at the end; nil when the file was truncated, or its contents were replaced.
    private func read(_ file: FollowedFile, into buffer: FollowBuffer) throws(SystemError) -> Int? {
        if mayBeginWithHole, try file.attributes().size > 0 {
            mayBeginWithHole = false
            offset = try file.endOfHole()
        }
        let begin = FollowBuffer.margin - recent.count
        let target = UnsafeMutableRawBufferPointer(rebasing: buffer.memory[begin...])
        let count = try file.read(at: offset - UInt64(recent.count), into: target)
        guard count >= recent.count, recent.begin(buffer) else {
            return nil
        }
        let added = count - recent.count
        bytesBefore = recent.count
        if added > 0 {
            recent.advance(added, in: buffer)
            offset += UInt64(added)
        }
        return added
    }

    private func nextHasBytes() throws(SystemError) -> Bool {
        guard let id = sequence.pending.first?.id, let next = held[id] else {
            return true
        }
        return try next.attributes().size > 0
    }

    /// Reads `file` from `offset` on, after the bytes `recent`.
    func begin(_ file: FollowedFile, at offset: UInt64 = 0, after recent: [UInt8] = []) {
        self.file = file
        fileCount += 1
        self.offset = offset
        self.recent = RecentBytes(recent)
        mayBeginWithHole = false
        held[file.id] = nil
        noCopies = known
    }

    /// The current file has no bytes, or had some that were copied and truncated before any was read: then a file has come
    /// since it was begun, and reading continues there. Returns whether it does.
    private func continueInUnreadCopy(of file: FollowedFile) throws(SystemError) -> Bool {
        guard file.id.isFile(live) else {
            return false
        }
        let scan = try scan()
        guard let live = scan.files.last, live.entry.isLive, live.entry.id == file.id,
            let copy = try firstCopy(in: scan, besides: noCopies.union([file.id]))
        else {
            return false
        }
        continueInCopy(copy, of: file, in: scan, at: 0, after: [])
        return true
    }

    /// Continues in a copy of the current file, which is read anew after it, and after newer copies.
    private func continueInCopy(
        _ copy: FollowedFile,
        of file: FollowedFile,
        in scan: LogFolderScan,
        at offset: UInt64,
        after recent: [UInt8]
    ) {
        known = Set(scan.entries.map(\.id))
        held[file.id] = file
        copied = file.id
        sequence.insertCopy(copy.id)
        sequence.accept(scan.entries) { held[$0] != nil }
        begin(copy, at: offset, after: recent)
    }

    /// The current file was truncated: continues in the copy that has its former contents, else at its beginning.
    private func restart(_ file: FollowedFile) throws(SystemError) {
        let scan = try scan()
        let copy = try copy(in: scan, at: offset, recent.check, besides: noCopies.union([file.id]))
        if let copy {
            continueInCopy(copy, of: file, in: scan, at: offset, after: recent.bytes)
        } else {
            known = Set(scan.entries.map(\.id))
            gaps.append(FollowGap(.truncated, bytes: nil))
            begin(file)
            mayBeginWithHole = true
        }
    }
}
