import CLinux
import Glibc

/// Tells one process when a thread of another has ended, however it ended: the thread holds a lock in memory that both
/// share, and the kernel frees that (robust futexes, get_robust_list(2)). So a process that was killed is seen to drain
/// nothing any more even while another thread of it hangs in a disk and keeps it from ending.
public final class ThreadLease: @unchecked Sendable {
    // Sendable because the memory is one lock, made to be shared.

    private let memory: UnsafeMutableRawPointer

    /// A new lease in the file at `path`, which should be in memory.
    public convenience init(creating path: String) throws(SystemError) {
        try self.init(path, O_RDWR | O_CREAT)
        let code = gl_lease_make(memory)
        guard code == 0 else {
            throw SystemError("make a lock in", path, code: code)
        }
    }

    /// The lease in the file at `path`, which another process has made.
    public convenience init(opening path: String) throws(SystemError) {
        try self.init(path, O_RDWR)
    }

    private init(_ path: String, _ flags: Int32) throws(SystemError) {
        let file = Descriptor(
            owning: try systemCall("open", path) { gl_open(path, flags | O_CLOEXEC, 0o600) }
        )
        let number = file.raw
        let size = Int(GL_LEASE_SIZE)
        // Memory is asked for before it is touched: on a full tmpfs that is an error, not a signal.
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

    /// Holds it from now on, on the calling thread, until that ends or gives it back.
    public func acquire() {
        gl_lease_take(memory)
    }

    /// Gives it back; on the thread that holds it.
    public func release() {
        gl_lease_give(memory)
    }

    /// Whether nobody holds it now.
    public var isFree: Bool {
        guard gl_lease_try(memory) == 0 else {
            return false
        }
        gl_lease_give(memory)
        return true
    }

    /// Waits until nobody holds it.
    public func awaitFree() {
        if gl_lease_take(memory) == 0 {
            gl_lease_give(memory)
        }
    }
}
