// VirtLogManager: libvirt's log manager, in place of virtlogd.
//
// libvirtd asks on a Unix socket for a pipe per log (`LogManagerServer`, a `LogManagerConnection` each; the words are in
// `LogManagerCall` and `LogManagerError`, and in the room `LibvirtRPC`). `LogManager` knows which logs are open. What QEMU
// writes into a pipe, `LogPipe` drains on a shard of `Capture`, which puts it into the store, and into the plain file
// that libvirtd, Nova and KubeVirt read.
