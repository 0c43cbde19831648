// SPDX-License-Identifier: Apache-2.0

// Query: reads the store for people and programs. The command line and the HTTP API both use this module, so their
// results are the same.
//
//     LogRequest, RequestWords      a request for log text, and the words it is made of
//     Selection, Rendering          which entries, and their format
//     LogQuery                      the rendered result, in chunks                              begin here
//     EntrySource                   the entries themselves, merged, with cursors: LogQuery stands on it
//       BlockPlan                   which blocks may match, before any is decoded
//       LineSource                  one stream, cut into lines, filtered; holds one block
//       LineFilter, LiteralSearch   time, severity, fields, pattern; whole blocks searched before lines are cut
//       DecodedLine, FieldMatches   what a line says, by its stream's encoding; FIELD=VALUE
//       TailFinder                  where the last N lines begin, found backwards
//       StreamMerger                several streams in one order: (running maximum of time, stream, offset)
//       Formats/                    one file a format: an entry in, bytes out
//     QueryCursor                   where a result ended, as an opaque word
//     BootList, VMLookup, VMReport  boots, names, and reports; VMListing: an entry of the list of VMs
//     PatternWait                   waits until a guest prints a match
//     Following                     repeats either after commits; a StoreObserver wakes it
//       FolderObserver              the observer outside the daemon: inotify
//       GrowingFolder, StreamScope  VMs and streams that appear meanwhile
//     FleetRendering, FleetRecord   the same filters and formats for what a log engine returns
//     Pattern                       regular expressions over a guest's bytes
//
// Invariants:
// 1. A line's time is that of the index record with its first byte; in a stream with its own clock it is the time that
//    the line states, if it states one. A line ends at LF; it is cut where bytes are missing (a
//    gap marker, a hole), where the transport saw the machine being switched on or off, and after `QueryLimits.line`.
// 2. Filters are exact. Summaries and literals only reduce the work; what they admit is checked line by line.
// 3. A cursor resumes with exactly what was not returned.
// 4. Guest output reaches a format for people through `TerminalEscaper` only.
import LogModel

/// The module's fixed limits, with their reasons.
enum QueryLimits {
    /// A longer line is returned in pieces: limits the memory for one stream.
    static let line = 64 << 10
    /// Structured records are not cut into pieces below this, the maximum that collectors accept.
    static let structuredLine = 4 << 20
    /// The target size of a chunk: large enough for few system calls, small enough to begin at once.
    static let chunk = 64 << 10
    /// The maximum size of a chunk; one huge record is returned in several.
    static let largestChunk = 512 << 10
}
