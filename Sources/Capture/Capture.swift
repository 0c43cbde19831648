// Capture: the one way in. From a descriptor that a guest writes to, over the in-flight ring, to the store.
//
//     descriptor ── Shard (epoll) ──► InflightRing (tmpfs) ──► StoreWriter (1 thread) ──► LogStore, plain file
//                     │ watchers                                  │ closed pairs
//                     └ rate limit, gaps                          └► SealerThread (1 thread, nice)
//
// What always holds:
// - A shard reads whatever there is to read, always: it makes no file-system call, takes no lock that a slower thread
//   can hold, and does no unbounded work. What cannot be kept is counted, and the count becomes a gap marker.
// - The only queue is the ring. An entry leaves it when it is committed or counted as lost, so a new process finds
//   there exactly what the old one had read and not committed.
// - A stream's entries are committed in the order they came in. A slot of the ring stands for a stream from an `open`
//   entry to a `close` entry, so that its next stream gets nothing of the last.
