// SPDX-License-Identifier: Apache-2.0

// Capture: from a descriptor that a guest writes to, through the in-flight ring, to the store.
//
//     descriptor ── Shard (epoll) ──► InflightRing (tmpfs) ──► StoreWriter (1 thread) ──► LogStore, plain file
//                     │ watchers                                  │ closed pairs
//                     └ rate limit, gaps                          └► SealerThread (1 thread, nice)
//
// Invariants:
// - A shard always reads available input: it makes no file-system call, takes no lock that a slower thread can hold,
//   and does no unbounded work. Bytes that cannot be stored are counted, and the count becomes a gap marker.
// - The ring is the only queue. An entry leaves it when it is committed or counted as lost, so a new process finds
//   exactly what the old one had read and not committed.
// - A stream's entries are committed in order of arrival. A ring slot belongs to a stream from an `open` entry to a
//   `close` entry, so that the slot's next stream gets nothing of the previous one.
