// SPDX-License-Identifier: Apache-2.0

// LogStore: stores and reads logs. Text is authoritative; metadata is stored beside it.
//
//     <root>/.id                           marks the folder as a store, and tells it from others  StoreIdentity
//     <root>/lock                          flocked by who keeps the whole store within bounds     Retention
//     <root>/reserve                       disk set aside for when it is full                     Reserve
//     <root>/access, outputs, sources      of other modules: tokens, how far outputs and sources have come
//     <root>/<vm>/vm.json                  who the VM is, when its history began and ended        Store
//     <root>/<vm>/lock                     held by the processes that write the VM                VMLock
//     <root>/<vm>/writer.json              under which boot of the host it is written, or where   WriterState
//                                          its streams ended when it was closed
//     <root>/<vm>/<stream>/meta.json       format version, encoding, clock                        StreamProperties
//                   extents.json           what retention left and what was sealed                SealedExtents
//                   <offset20>.log  .idx   active pair: the bytes as received, and their records  StreamWriter
//                   <offset20>.log.zst     segment: up to 64 sealed blocks, then what texts may   StreamSealer
//                                          be in them, and their index                         SegmentFilter
//                   <offset20>.head.zst    a boot's head, outliving its segment                   BootHeads
//                   quarantine/            bytes that failed their checksum                       PairRepair
//
// Invariants:
// 1. A position is a byte's offset in its stream since the stream began; it is never assigned to another byte.
// 2. Text is written before its index record; the index write is the commit. Readers never return a byte beyond it.
// 3. A pair has one writer, and is closed before the sealer touches it. It is removed only after the segment with its
//    bytes was synced; while both exist they have the same contents, and the segment takes precedence.
// 4. A closed segment never changes. A growing one only grows, by whole blocks.
// 5. Times do not decrease from a block's first bytes on; a clock that steps back by more than a second closes the
//    block. The order of blocks is not assumed.
// 6. Missing bytes are reported: by a gap marker where the writer knew, by the reader where positions are missing.
// 7. After a crash of the process nothing committed is lost, and text written beyond the index is recovered. After a
//    crash of the host, everything synced is kept, and the stream continues at the next multiple of 2^32.
//
// A block's life: `StreamWriter` appends to an active pair, which is closed at 256 KiB, or at a multiple of it where the
// stream is fast (`PairPace`); `StreamSealer` compresses its blocks (`BlockCut`) into the growing segment; after a sync
// the pair is removed; `Retention` removes the oldest segments, which `EvictableExtents` chooses, after `BootHeads` has copied
// out the heads of the boots in them. `StreamReader` finds any position in whichever file has it, `CommitNotifier` says which stream has more,
// `PairRepair` and `StreamRecovery` repair a stream after a crash.
//
// Damage is confined to one stream: a file that cannot be read, or has another file in its place, is a gap for readers
// (`StreamFiles`, `LostEnd`), is set aside by the writer (`StreamRecovery`), and is reported by `StoreCheck`.
//
// The bytes of every file are specified in docs/format.md.
