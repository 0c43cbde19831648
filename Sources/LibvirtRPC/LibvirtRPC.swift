// LibvirtRPC: libvirt's messages, and what we ask libvirt.
//
// Messages have a length, a `MessageHeader` and a body in XDR (`XDRReader`, `XDRWriter`); `MessageBuffer` cuts what
// arrives into them. `VirtLogManager` answers such messages. `LibvirtConnection` asks: it is a read-only client of
// libvirtd or virtqemud, in the remote protocol (libvirt's src/remote/remote_protocol.x, described at
// https://libvirt.org/kbase/internals/rpc.html). All lengths that a peer says are bounded, and every call has a deadline.
