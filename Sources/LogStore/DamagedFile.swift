import Glibc
import SystemIO

extension SystemError {
    private static let damageCodes: Set<Int32> = [
        EIO, EBADMSG, EUCLEAN, EILSEQ, ENODATA, EREMOTEIO, ENXIO, ENODEV, ELOOP, EISDIR, ENOTDIR, ESPIPE,
    ]

    /// Whether the file itself is at fault: the disk cannot read it, or something else lies in its place. A lack of
    /// permission, descriptors or memory is not the file's.
    public var isDamagedFile: Bool { Self.damageCodes.contains(code) }
}

extension FileSystem {
    /// Renames what lies at `path`, so that a file of the store can be made there: to `path.damaged`, or with a number
    /// behind it. No error when nothing is there.
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

    /// Sets aside what lies at `path`, unless it is of the kind that the store makes there.
    func clear(_ path: String, for kind: FileStatus.Kind) throws(SystemError) {
        if let status = status(path), status.kind != kind {
            try setAside(path)
        }
    }
}
