// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO

/// The names in a large folder, for the followers of many logs in it: as long as the folder does not change, it is read
/// once and not once for each log. Used by one thread.
public final class FolderNames {
    private struct Listing {
        let folder: FileIdentity
        let modified: Int
        /// In the order of their bytes.
        let names: [[UInt8]]
    }

    private var listing: Listing?
    /// How often a folder was read.
    private(set) var reads = 0

    /// Smaller folders are read every time.
    static let minimum = 256
    /// A folder whose latest change is younger, in nanoseconds, may change again with the same modification time:
    /// file systems round it to the ticks of the kernel's clock.
    static let settledAge = 2_000_000_000

    public init() {}

    /// Calls `body` with each name in `folder` that begins with `prefix`, as bytes, in no order.
    func forEachName(
        in folder: borrowing DirectoryHandle,
        beginningWith prefix: [UInt8],
        _ body: (UnsafeBufferPointer<UInt8>) -> Void
    ) throws(SystemError) {
        let attributes = try folder.attributes()
        if let listing, listing.folder == attributes.identity, listing.modified == attributes.modified {
            return Self.pass(listing.names, prefix, body)
        }
        var names: [[UInt8]] = []
        try folder.forEachName { names.append(Array($0)) }
        reads += 1
        guard names.count >= Self.minimum else {
            names.lazy.filter { $0.starts(with: prefix) }.forEach { $0.withUnsafeBufferPointer(body) }
            return
        }
        names.sort { $0.lexicographicallyPrecedes($1) }
        Self.pass(names, prefix, body)
        let isSettled = Int(SystemClock.wallNanoseconds()) - attributes.modified > Self.settledAge
        let isUnchanged = try folder.attributes().modified == attributes.modified
        listing =
            isSettled && isUnchanged
            ? Listing(folder: attributes.identity, modified: attributes.modified, names: names) : nil
    }

    private static func pass(_ names: [[UInt8]], _ prefix: [UInt8], _ body: (UnsafeBufferPointer<UInt8>) -> Void) {
        var range = 0..<names.count
        while !range.isEmpty {
            let middle = range.lowerBound + range.count / 2
            if names[middle].lexicographicallyPrecedes(prefix) {
                range = middle + 1..<range.upperBound
            } else {
                range = range.lowerBound..<middle
            }
        }
        for name in names[range.lowerBound...] {
            guard name.starts(with: prefix) else {
                return
            }
            name.withUnsafeBufferPointer(body)
        }
    }
}
