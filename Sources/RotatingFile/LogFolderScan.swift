// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO

/// The files of a rotated log that a folder has, the oldest first. Of very many rotated files only the newest are
/// taken: a guest may be able to make files in the folder of its log, and each scan is work.
struct LogFolderScan: Equatable {
    struct File: Equatable {
        let name: String
        let entry: FileSequence.Entry
        let identity: FileIdentity
    }

    private(set) var files: [File] = []
    /// Whether there are older files than `files` that could be read.
    private(set) var hasOlder = false

    /// Maximum number of rotated files that are taken.
    static let maximumRotated = 1000
    /// Maximum number of files that a log may have.
    static let maximumNames = 10_000

    /// No files.
    init() {}

    /// A scan is repeated until two agree: names change between reading the folder and asking for a file's identity.
    /// The limit only matters where rotation is faster than a scan.
    private static let maximumScans = 10

    /// Scans the folder of `path`, until the result is of one moment. Throws ENOENT when there is no folder, and EFBIG when
    /// the log has more than `maximumNames` files.
    init(of path: String, trustedFolder: String?, names: FolderNames? = nil) throws(SystemError) {
        let (parent, name) = DirectoryHandle.split(path)
        let folder = try DirectoryHandle(parent, trusted: trustedFolder)
        var last = try Self(folder, live: Array(name.utf8), names)
        for _ in 1..<Self.maximumScans {
            let next = try Self(folder, live: Array(name.utf8), names)
            defer { last = next }
            if next.files.elementsEqual(last.files, by: { $0.entry.id == $1.entry.id && $0.name == $1.name }) {
                break
            }
        }
        self = last
    }

    private init(
        _ folder: borrowing DirectoryHandle,
        live: [UInt8],
        _ folderNames: FolderNames?
    ) throws(SystemError) {
        var names: [(rotated: RotatedName, name: String)] = []
        func add(_ bytes: UnsafeBufferPointer<UInt8>) {
            // Most entries of a large folder belong to other logs.
            guard names.count <= Self.maximumNames, bytes.count >= live.count, let name = bytes.baseAddress,
                memcmp(name, live, live.count) == 0
            else {
                return
            }
            if let rotated = RotatedName(bytes, live: live), let name = String(validating: bytes, as: UTF8.self) {
                names.append((rotated, name))
            }
        }
        if let folderNames {
            try folderNames.forEachName(in: folder, beginningWith: live, add)
        } else {
            try folder.forEachName(add)
        }
        guard names.count <= Self.maximumNames else {
            let path = folder.path(of: String(decoding: live, as: UTF8.self))
            let reason = "it has more than \(Self.maximumNames) rotated files; remove old ones"
            throw SystemError("read", path, code: EFBIG, reason: reason)
        }
        names.sort { $0.rotated < $1.rotated }
        let surplus = max(0, names.count - (names.last?.rotated.isLive == true ? 1 : 0) - Self.maximumRotated)
        hasOlder = names[..<surplus].contains { !$0.rotated.isCompressed }
        names.removeFirst(surplus)
        var seen: Set<LogFileID> = []
        for (rotated, name) in names {
            guard let attributes = folder.attributes(of: name), attributes.kind == .regular else {
                continue
            }
            let id = LogFileID(attributes.identity, birth: folder.birthTime(of: name))
            let entry = FileSequence.Entry(
                id: id,
                size: UInt64(attributes.size),
                isLive: rotated.isLive,
                isCompressed: rotated.isCompressed,
                modified: attributes.modified
            )
            // A file with two names, as a hard link or during a rotation, is read once.
            if seen.insert(id).inserted {
                files.append(File(name: name, entry: entry, identity: attributes.identity))
            }
        }
    }

    var entries: [FileSequence.Entry] { files.map(\.entry) }

    /// The live file's identity; nil when there is none.
    var live: FileIdentity? { files.last.flatMap { $0.entry.isLive ? $0.identity : nil } }

    func name(of id: LogFileID) -> String? {
        files.first { $0.entry.id == id }?.name
    }
}
