// SPDX-License-Identifier: Apache-2.0

import Glibc

/// The signals by which a write that fails ends the process: SIGPIPE, where the reader has gone, and SIGXFSZ, where the
/// file would exceed the process's limit of file size (RLIMIT_FSIZE).
public enum WriteSignals {
    static let all = [SIGPIPE, SIGXFSZ]

    /// Ignores them: such a write fails with EPIPE or EFBIG.
    public static func ignore() {
        all.forEach { signal($0, SIG_IGN) }
    }

    /// Undoes `ignore`, for a program that takes this one's place.
    static func restore() {
        all.forEach { signal($0, SIG_DFL) }
    }
}
