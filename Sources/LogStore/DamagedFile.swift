// SPDX-License-Identifier: Apache-2.0

import Glibc
import SystemIO

extension SystemError {
    private static let damageCodes: Set<Int32> = [
        EIO, EBADMSG, EUCLEAN, EILSEQ, ENODATA, EREMOTEIO, ENXIO, ENODEV, ELOOP, EISDIR, ENOTDIR, ESPIPE,
    ]

    /// Whether the error concerns the file itself: the disk cannot read it, or another kind of file is at its path. A
    /// lack of permission, descriptors or memory does not.
    public var isDamagedFile: Bool { Self.damageCodes.contains(code) }

    /// Whether this user may not read the file.
    public var isForbidden: Bool { code == EACCES || code == EPERM }

    /// Whether a damaged file may be sound: the disk did not answer, and may answer later.
    var mayPass: Bool { [EIO, EREMOTEIO, ENODEV].contains(code) }
}

extension FileSystem {
    /// Renames the file at `path`, so that a file of the store can be created there: to `path.damaged`, or with a
    /// number appended. No error when there is none.
    func setAside(_ path: String) throws(SystemError) {
        var target = path + ".damaged"
        var number = 1
        while status(target) != nil {
            number += 1
            target = path + ".damaged" + String(number)
        }
        do throws(SystemError) {
            try rename(path, to: target)
        } catch {
            guard error.code == SystemError.notFound else {
                throw error
            }
        }
    }

    /// Sets aside the file at `path`, unless it is of the kind that the store creates there.
    public func clear(_ path: String, for kind: FileAttributes.Kind) throws(SystemError) {
        if let status = status(path), status.kind != kind {
            try setAside(path)
        }
    }
}
