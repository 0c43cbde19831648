// Platforms: what Guestlog must know of those who run VMs, to make them log and to name what they log.
//
// Pure functions over bytes: no I/O, no Foundation, no other room but `LogModel`. `DomainXML` puts a `<log>` into a
// libvirt domain and takes it out again; `DomainFacts` says who a domain is and where its serial ports are, and a
// `DomainDirectory` holds what is known of all of them. `XMLScanner` and `XMLText` read just as much XML as that needs,
// and `XMLDocument` is what they find. A domain may come from anybody: whatever it holds, nothing traps, recurses, or
// takes more than linear time.
