// SystemIO: the kernel, in Swift's words.
//
// Begin with `EventLoop`, the epoll thread on which sockets and pipes live. Around it: `Descriptor` (closed exactly
// once), `SystemError` (an errno that says which call on what), `UnixSocket`, `DirectoryWatch` (inotify),
// `DirectoryHandle` and `PathHandle` (paths that other users may change, without a race between check and use),
// `ServiceManager` (systemd's protocols), the injectable `HostClock` and `Diagnostics`. No Foundation.
