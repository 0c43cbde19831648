// SPDX-License-Identifier: Apache-2.0

// Libvirt: libvirt's messages, a client of libvirt, and the XML of its domains.
//
// Messages have a length, a `MessageHeader` and a body in XDR (`XDRReader`, `XDRWriter`); `MessageBuffer` splits
// received bytes into messages. `VirtLogManager` answers such messages. `LibvirtConnection` is a read-only client of
// libvirtd or virtqemud, with the remote protocol (libvirt's src/remote/remote_protocol.x, described at
// https://libvirt.org/kbase/internals/rpc.html). All lengths from a peer are bounded, and every call has a deadline.
//
// `DomainXML` adds a `<log>` to a domain and removes it; `DomainFacts` identifies a domain and its serial ports, and
// `DomainDirectory` holds all domains. `DomainWatch` keeps a directory up to date on a thread of its own: its
// `DomainFollower` connects to a `LibvirtSocket` and reconnects, and `DomainSurvey` reads the domains of one connection.
// `XMLScanner` and `XMLText` parse the required subset of XML into an `XMLDocument`. Domains may come from untrusted
// users: parsing never traps, recurses, or takes more than linear time.
