// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Glibc
import GuestlogService

/// An error of the configuration file hides the store and the socket.
struct PathsUnknown: Error, CustomStringConvertible {
    let error: ConfigurationError

    var description: String {
        "\(error); store and socket cannot be read from this file: correct it, or name the store with --store or the "
            + "daemon with --socket"
    }
}

/// A daemon keeps another store than the command is for.
struct OtherStore: Error, CustomStringConvertible {
    let socket: String
    let kept: String
    let wanted: String

    var description: String {
        "the daemon at \(Terminal.safe(socket)) keeps its store in \(Terminal.safe(kept)), not in "
            + "\(Terminal.safe(wanted)); use --socket to name the daemon"
    }
}

/// Why a store cannot be read.
struct StoreUnreadable: StatusError {
    var exitCode: ExitCode { .outOfReach }
    let root: String
    let code: Int32

    var isNoStore: Bool { code == EINVAL || code == ENOTDIR }

    var description: String {
        let root = Terminal.safe(root)
        switch code {
        case ENOENT: return "there is no store at \(root); use --store for another"
        case ENOTDIR: return "\(root) is not a store: it is not a folder"
        case EINVAL:
            return
                "\(root) is not a store: it has no file .id; use --store for another folder, or, if this is a copy of "
                + "a store, copy that file too"
        default: return "the store \(root) cannot be read by this user: \(String(cString: strerror(code)))"
        }
    }
}
