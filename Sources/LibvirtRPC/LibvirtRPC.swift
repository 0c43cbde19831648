// SPDX-License-Identifier: Apache-2.0

// LibvirtRPC: libvirt's messages, and a client of libvirt.
//
// Messages have a length, a `MessageHeader` and a body in XDR (`XDRReader`, `XDRWriter`); `MessageBuffer` splits
// received bytes into messages. `VirtLogManager` answers such messages. `LibvirtConnection` is a read-only client of
// libvirtd or virtqemud, with the remote protocol (libvirt's src/remote/remote_protocol.x, described at
// https://libvirt.org/kbase/internals/rpc.html). All lengths from a peer are bounded, and every call has a deadline.
