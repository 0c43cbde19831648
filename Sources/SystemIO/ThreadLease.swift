// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

/// Notifies one process of the end of a thread of another, however it ended: the thread holds a lock in shared memory,
/// which the kernel then releases (robust futexes, get_robust_list(2)). So a killed process is known to drain nothing
/// any more even while another of its threads hangs in a disk and delays its end.
public final class ThreadLease: @unchecked Sendable {
    // Sendable because the memory is one lock, made to be shared.

    private let memory: UnsafeMutableRawPointer

    /// Creates the lease in the file at `path`, which should be in memory.
    public convenience init(creating path: String) throws(SystemError) {
        try self.init(path, O_RDWR | O_CREAT)
        let code = gl_lease_make(memory)
        guard code == 0 else {
            throw SystemError("make a lock in", path, code: code)
        }
    }

    /// Opens the lease in the file at `path`, which another process has created.
    public convenience init(opening path: String) throws(SystemError) {
        try self.init(path, O_RDWR)
    }

    private init(_ path: String, _ flags: Int32) throws(SystemError) {
        let file = Descriptor(
            owning: try systemCall("open", path) { gl_open(path, flags | O_CLOEXEC, 0o600) }
        )
        let number = file.raw
        let size = Int(GL_LEASE_SIZE)
        // Memory is allocated before it is accessed: on a full tmpfs that is an error, not a signal.
        let code = gl_allocate(number, 0, off_t(size))
        guard code == 0 else {
            throw SystemError("fallocate", path, code: code)
        }
        guard let mapping = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_SHARED, number, 0), mapping != MAP_FAILED else {
            throw SystemError("mmap", path)
        }
        memory = mapping
    }

    deinit {
        munmap(memory, Int(GL_LEASE_SIZE))
    }

    /// Acquires it for the calling thread, until that ends or releases it.
    func acquire() {
        gl_lease_take(memory)
    }

    /// Releases it; on the thread that holds it.
    func release() {
        gl_lease_give(memory)
    }

    /// Whether no thread holds it now.
    public var isFree: Bool {
        guard gl_lease_try(memory) == 0 else {
            return false
        }
        gl_lease_give(memory)
        return true
    }

    /// Waits until no thread holds it.
    public func awaitFree() {
        if gl_lease_take(memory) == 0 {
            gl_lease_give(memory)
        }
    }
}
