// SPDX-License-Identifier: Apache-2.0

// Platforms: knowledge of VM managers, for configuring and identifying VMs' logs.
//
// Pure functions over bytes: no I/O, no Foundation, no other module but `LogModel`. `DomainXML` adds a `<log>` to a
// libvirt domain and removes it; `DomainFacts` identifies a domain and its serial ports, and `DomainDirectory` holds
// all domains. `XMLScanner` and `XMLText` parse the required subset of XML into an `XMLDocument`. Domains may come from
// untrusted users: parsing never traps, recurses, or takes more than linear time.
