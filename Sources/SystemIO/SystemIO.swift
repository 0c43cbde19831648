// SPDX-License-Identifier: Apache-2.0

// SystemIO: the kernel's interfaces for Swift.
//
// Begin with `EventLoop`, the epoll thread for sockets and pipes. Further: `Descriptor` (closed exactly once),
// `SystemError` (an errno with the call and its subject), `PendingOutput` (what a descriptor has not accepted),
// `UnixSocket`, `VsockSocket`, `DirectoryWatch` (inotify), `DirectoryHandle` and `PathHandle` (paths that other users
// may change, without a race between check and use), `FileAttributes` (stat), `ProcFile` (procfs), `ServiceManager`
// (systemd's protocols), the injectable `HostClock` and `Diagnostics`. No Foundation.
