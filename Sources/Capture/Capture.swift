// SPDX-License-Identifier: Apache-2.0

// Capture: from a descriptor that a guest writes to, through the in-flight ring, to the store.
//
//     descriptor ── Shard (epoll) ──► InflightRing (tmpfs) ──► StoreWriter (1 thread) ──► LogStore, plain file
//                     │ watchers                                  │ closed pairs
//                     └ rate limit, gaps                          └► SealerThread (1 thread, nice)
//
// Records of sources that can wait, or be read again, go beside the ring:
//
//     source ── RecordIntake (batches in memory) ──► StoreWriter: RecordSink ──► LogStore, then the acknowledgement
//
// Invariants:
// - A shard always reads available input: it makes no file-system call, takes no lock that a slower thread can hold,
//   and does no unbounded work. Bytes that cannot be stored are counted, and the count becomes a gap marker.
// - The ring is the only queue of what cannot be read again. An entry leaves it when it is committed or counted as lost,
//   so a new process finds exactly what the old one had read and not committed.
// - A stream's entries are committed in order of arrival. A ring slot belongs to a stream from an `open` entry to a
//   `close` entry, so that the slot's next stream gets nothing of the previous one.
// - A batch of records is committed whole, with its source position, and acknowledged only then. It stays in its intake
//   while the store cannot be written, so a source that can wait loses nothing.
// - Opening a stream takes three steps, in this order: the shard assigns a slot (`Shard.openIntake`) and announces the
//   stream to the writer (`StreamTable.announce`); the slot's first entry is `open`, at which the writer takes what
//   ended processes left of the stream (`StoreWriter.adopt`); the first commit opens it in the store (`SinkOpening`).
