// SPDX-License-Identifier: Apache-2.0

import Glibc

public enum ThreadTime {
    /// The processor time that the calling thread has used, which other processes do not change.
    public static var milliseconds: Int {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return time.tv_sec * 1000 + time.tv_nsec / 1_000_000
    }
}
