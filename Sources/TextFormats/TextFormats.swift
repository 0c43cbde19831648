// TextFormats: what bytes on a console mean, and how to show them without harm.
//
// Pure functions over bytes: no I/O, no clock, no Foundation, nothing shared. Whatever they are given comes from a
// guest and may be hostile; none of them traps, and none allocates more than a small multiple of its input.
//
// Begin with `TerminalEscaper`, through which every byte shown to a person goes. `BootBanner` and `ConsoleSeverity`
// read a line for what it says about the machine's life and about its own weight.
