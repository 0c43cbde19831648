// SPDX-License-Identifier: Apache-2.0

// VirtLogManager: libvirt's log manager, in place of virtlogd.
//
// libvirtd requests a pipe for each log on a Unix socket (`LogManagerServer`, a `LogManagerConnection` each; the
// messages are in `LogManagerCall` and `LogManagerError`, and in the module `Libvirt`). `LogManager` has the open
// logs. `LogPipe` drains QEMU's output from a pipe on a shard of `Capture`, which writes it to the store, and to the
// plain file that libvirtd, Nova and KubeVirt read.
