// SPDX-License-Identifier: Apache-2.0

import CLinux
import Glibc

/// A file in memory, without a name in any file system (memfd_create(2)), so that it can be written when all file
/// systems are full. The user's other processes can open it through /proc while this one has it open.
public final class MemoryFile: Sendable {
    private let descriptor: Descriptor

    /// An empty file; /proc shows `name`.
    public init(_ name: String) throws(SystemError) {
        descriptor = Descriptor(owning: try systemCall("memfd_create", name) { gl_memory_file(name) })
    }

    /// The path for opening it, also in other processes.
    public var path: String { "/proc/\(getpid())/fd/\(descriptor.raw)" }
}
