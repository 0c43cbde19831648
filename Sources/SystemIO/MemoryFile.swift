import CLinux
import Glibc

/// A file in memory, without a name in any file system (memfd_create(2)): no full file system keeps it from being written.
/// Other processes of the user open it through /proc while this one has it.
public final class MemoryFile: Sendable {
    private let descriptor: Descriptor

    /// An empty file; `name` is what /proc shows of it.
    public init(_ name: String) throws(SystemError) {
        descriptor = Descriptor(owning: try systemCall("memfd_create", name) { gl_memory_file(name) })
    }

    /// The path by which it is opened, also by other processes.
    public var path: String { "/proc/\(getpid())/fd/\(descriptor.raw)" }
}
