// Query: what is in the store, as people and programs ask for it. The command line and the HTTP API both answer with
// this room, so they cannot answer differently.
//
//     Selection, Rendering          the question: which entries, and how they are to look
//     LogQuery                      the answer, in chunks: the only thing callers hold            begin here
//       BlockPlan                   which blocks may hold what is asked for, before any is decoded
//       LineSource                  one stream, cut into lines, filtered; holds one block
//       LineFilter, LiteralSearch   time, severity, pattern; whole blocks searched before lines are cut
//       TailFinder                  where the last N lines begin, found backwards
//       StreamMerger                several streams in one order: (running maximum of time, stream, offset)
//       Formats/                    one file a format: an entry in, bytes out
//     QueryCursor                   where an answer ended, as an opaque word
//     BootList, VMLookup, VMReport  boots, names, and what there is
//     PatternWait                   "tell me when the guest says it"
//     Following                     asks either again as more is committed; a StoreObserver wakes it
//       FolderObserver              the listener outside the daemon: inotify
//       GrowingFolder, StreamScope  VMs and streams that come up meanwhile
//     TimeWords, Quantities         the words for when, how long and how much
//     Pattern                       regular expressions over a guest's bytes
//
// What always holds:
// 1. A line's time is that of the record that holds its first byte. A line ends at LF; it is cut where bytes are
//    missing (a gap marker, a hole), where the transport saw the machine go on or off, and after `QueryLimits.line`.
// 2. Filters are exact. Summaries and literals only save work; what they let pass is looked at line by line.
// 3. A cursor resumes with exactly what had not been handed out.
// 4. Nothing a guest wrote reaches a human format except through `TerminalEscaper`.
import LogModel

/// The room's fixed numbers, each with its reason.
enum QueryLimits {
    /// A line longer than this is handed out in pieces: what one stream can make a reader hold.
    static let line = 64 << 10
    /// Structured records are never cut into pieces below this, the most a collector takes.
    static let structuredLine = 4 << 20
    /// What one `next()` aims to hand out: large enough for few system calls, small enough to begin at once.
    static let chunk = 64 << 10
    /// What one `next()` hands out at most; one huge record comes in several.
    static let largestChunk = 512 << 10
}
