// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

/// A counting semaphore between threads.
public final class Semaphore: @unchecked Sendable {
    // A POSIX semaphore is made to be shared between threads, and its address must not move.
    private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

    /// A semaphore that is not signalled.
    public init() {
        sem_init(semaphore, 0, 0)
    }

    deinit {
        sem_destroy(semaphore)
        semaphore.deallocate()
    }

    public func signal() {
        sem_post(semaphore)
    }

    /// Waits for a signal, and takes it.
    public func wait() {
        while sem_wait(semaphore) != 0 {}
    }

    /// Waits for a signal, and takes it, or until that many seconds have passed (nil: no limit); returns whether there
    /// was one.
    public func wait(seconds: Int?) -> Bool {
        guard let seconds else {
            wait()
            return true
        }
        var deadline = timespec()
        clock_gettime(CLOCK_MONOTONIC, &deadline)
        deadline.tv_sec += seconds
        while gl_wait_until(semaphore, &deadline) != 0 {
            if errno != EINTR {
                return false
            }
        }
        return true
    }
}
