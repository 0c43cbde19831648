// SPDX-License-Identifier: Apache-2.0

import Glibc

/// An event that is signalled once and waited for by one thread.
public final class OneShot: @unchecked Sendable {
    // A POSIX semaphore is made to be shared between threads, and its address must not move.
    private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

    /// An event that is not signalled.
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

    /// Waits until it is signalled.
    public func wait() {
        while sem_wait(semaphore) != 0 {}
    }

    /// Waits until it is signalled, or that many seconds have passed (nil: no limit); returns whether it is signalled.
    public func wait(seconds: Int?) -> Bool {
        guard let seconds else {
            wait()
            return true
        }
        var deadline = timespec()
        clock_gettime(CLOCK_REALTIME, &deadline)
        deadline.tv_sec += seconds
        while sem_timedwait(semaphore, &deadline) != 0 {
            if errno != EINTR {
                return false
            }
        }
        return true
    }
}
