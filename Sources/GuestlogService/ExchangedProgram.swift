// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO

/// The program at a path, and this program in its place, as a link. Meanwhile the other one is kept beside it, as its
/// only copy, which is not replaced. An exchange that was interrupted anywhere can be done again, or reverted.
struct ExchangedProgram {
    let path: String
    let ownProgram: String

    /// The suffix of the other program's file while this program has its place.
    private static let suffix = ".libvirt"

    /// Where the other program is kept.
    var kept: String { path + Self.suffix }

    /// Whether the other program is kept, and can be run.
    var isKept: Bool { access(kept, X_OK) == 0 }

    /// Whether the path leads to this program.
    var isOwn: Bool {
        guard let resolved = realpath(path, nil) else {
            return false
        }
        defer { free(resolved) }
        return String(cString: resolved) == ownProgram
    }

    /// Puts this program in the other one's place.
    func exchange() throws(SystemError) {
        // A link beside a kept program is that of an earlier exchange, also when this program was elsewhere then.
        let isExchanged = isOwn || (isKept && ProcFile.target(ofLink: path) != nil)
        if !isExchanged {
            unlink(kept)
            try systemCall("link", kept) { link(path, kept) }
        }
        let fresh = path + ".new"
        unlink(fresh)
        try systemCall("symlink", fresh) { symlink(ownProgram, fresh) }
        try systemCall("rename", path) { rename(fresh, path) }
        PackageDiversion(path, to: kept).set(true)
    }

    /// Restores the other program; does nothing when that was done already.
    func revert() throws(SystemError) {
        if isKept {
            try systemCall("rename", path) { rename(kept, path) }
        }
        PackageDiversion(path, to: kept).set(false)
    }
}

/// A dpkg diversion, so that an upgrade of the package writes the diverted file.
private struct PackageDiversion {
    private let path: String
    private let target: String

    private static let tool = "/usr/bin/dpkg-divert"

    init(_ path: String, to target: String) {
        self.path = path
        self.target = target
    }

    /// Adds or removes the diversion. Hosts without dpkg, and files of no package, need none.
    func set(_ isDiverted: Bool) {
        guard access(Self.tool, X_OK) == 0, path.hasPrefix("/usr/") else {
            return
        }
        let words = [Self.tool, "--quiet", "--local", "--no-rename", "--divert", target]
        // Without it an upgrade of libvirt's package restores its own program; nothing else is lost.
        _ = try? ChildProgram.run(words + [isDiverted ? "--add" : "--remove", path])
    }
}
