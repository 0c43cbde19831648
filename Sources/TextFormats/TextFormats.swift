// SPDX-License-Identifier: Apache-2.0

// TextFormats: interpreting console output, and showing it safely.
//
// Pure functions over bytes: no I/O, no clock, no Foundation, no shared state. Their input comes from a guest and may
// be hostile; none of them traps, and none allocates more than a small multiple of its input.
//
// Begin with the folder Display: `DisplayedLineCutter` divides a console's bytes into the rows of a terminal, and
// `DisplayedLine` paints one. `TerminalEscaper` escapes everything shown to people. `BootBanner` and `ConsoleSeverity`
// detect boots and severities in lines. `SyslogMessage`, `KernelMessage` and `JournalExportParser` parse what guests log
// themselves; it is stored as `StructuredRecord`s.
