// SPDX-License-Identifier: Apache-2.0

import LogModel
import SystemIO

/// The files of one stream and their names.
struct StreamLayout {
    enum Kind: Int {
        case segment, pair, head
    }

    /// A file, or a pair of files, with the stream's bytes from `base` on.
    struct Extent: Hashable, Comparable {
        var base: UInt64
        var kind: Kind

        /// By position; of two with the same, the one with precedence first.
        static func < (left: Extent, right: Extent) -> Bool {
            (left.base, left.kind.rawValue) < (right.base, right.kind.rawValue)
        }
    }

    let path: String

    static let offsetDigits = 20
    /// Greater than any real position: a name with a greater one is not the store's, and sums of smaller ones cannot
    /// overflow.
    static let positionLimit: UInt64 = 1 << 62
    static let segmentSuffix = ".log.zst"
    static let headSuffix = ".head.zst"
    static let logSuffix = ".log"
    static let indexSuffix = ".idx"

    /// The offset in 20 digits, so that names sort by position.
    static func name(_ offset: UInt64, _ suffix: String) -> String {
        let digits = String(offset)
        return String(repeating: "0", count: offsetDigits - digits.count) + digits + suffix
    }

    func log(_ base: UInt64) -> String { path + "/" + Self.name(base, Self.logSuffix) }
    func index(_ base: UInt64) -> String { path + "/" + Self.name(base, Self.indexSuffix) }
    func segment(_ base: UInt64) -> String { path + "/" + Self.name(base, Self.segmentSuffix) }
    func head(_ base: UInt64) -> String { path + "/" + Self.name(base, Self.headSuffix) }
    var metadata: String { path + "/meta.json" }
    var extentsFile: String { path + "/" + SealedExtents.name }
    var quarantine: String { path + "/quarantine" }

    func file(_ extent: Extent) -> String {
        switch extent.kind {
        case .segment: segment(extent.base)
        case .pair: log(extent.base)
        case .head: head(extent.base)
        }
    }

    /// The extent of a file name; nil for an index file, whose log represents the pair.
    static func extent(named name: String) -> Extent? {
        let kinds: [(String, Kind)] = [(segmentSuffix, .segment), (headSuffix, .head), (logSuffix, .pair)]
        for (suffix, kind) in kinds where name.utf8.count == offsetDigits + suffix.utf8.count && name.hasSuffix(suffix)
        {
            let digits = name.utf8.prefix(offsetDigits)
            guard digits.allSatisfy(\.isDecimalDigit) else {
                return nil
            }
            return UInt64(String(decoding: digits, as: UTF8.self)).flatMap { base in
                base < positionLimit ? Extent(base: base, kind: kind) : nil
            }
        }
        return nil
    }

    /// The base of the pair whose index has that name; nil for other names.
    static func base(ofIndexNamed name: String) -> UInt64? {
        guard name.hasSuffix(indexSuffix) else {
            return nil
        }
        return extent(named: name.dropLast(indexSuffix.count) + logSuffix)?.base
    }

    /// Whether the folder has any file with text, or half of a pair.
    func holdsFiles(on fileSystem: any FileSystem) -> Bool {
        ((try? fileSystem.names(in: path)) ?? []).contains {
            Self.extent(named: $0) != nil || $0.hasSuffix(Self.indexSuffix)
        }
    }

    /// All extents, in order. A log without its index does not count: the index was not created yet, or the pair is
    /// being removed.
    func extents(on fileSystem: any FileSystem) throws(SystemError) -> [Extent] {
        let names = try fileSystem.names(in: path)
        let indexes = Set(names.filter { $0.hasSuffix(Self.indexSuffix) })
        return names.compactMap(Self.extent(named:))
            .filter { $0.kind != .pair || indexes.contains(Self.name($0.base, Self.indexSuffix)) }
            .sorted()
    }
}
