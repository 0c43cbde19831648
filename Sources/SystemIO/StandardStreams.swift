// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

/// Standard input, output and error.
public enum StandardStreams {
    /// Opens /dev/null for reading as those that are closed, so that no other file gets their numbers: reading finds
    /// the end, writing fails with EBADF. To be called before anything else is opened.
    public static func reserve() {
        for number in STDIN_FILENO...STDERR_FILENO where gl_fcntl(number, F_GETFD, 0) < 0 {
            // The lowest free number, which is this one.
            _ = gl_open("/dev/null", O_RDONLY, 0)
        }
    }
}
