// LogStore: where what a VM says rests, and how it is found again. Text is the truth, metadata stands beside it.
//
//     <root>/lock                          flocked by who keeps the whole store within bounds     Retention
//     <root>/reserve                       disk set aside for when it is full                     Reserve
//     <root>/<vm>/vm.json                  who the VM is, when its history began and ended        Store
//     <root>/<vm>/lock                     flocked by the VM's one writer                         VMStore
//     <root>/<vm>/writer.json              under which boot of the host it is written, or where   WriterState
//                                          its streams ended when it was closed
//     <root>/<vm>/<stream>/meta.json       format version, encoding, clock                        StreamProperties
//                   extents.json           what retention left and what was sealed                SealedExtents
//                   <offset20>.log  .idx   active pair: the bytes as received, and their records  StreamWriter
//                   <offset20>.log.zst     segment: up to 64 sealed blocks, then their index      StreamSealer
//                   <offset20>.head.zst    a boot's head, outliving its segment                   BootHeads
//                   quarantine/            bytes that failed their checksum                       PairRepair
//
// What always holds:
// 1. A position is a byte's offset in its stream since the stream began; it is never given to another byte.
// 2. Text is written before its index record; the index write is the commit. Readers never serve a byte beyond it.
// 3. A pair has one writer, and is closed before the sealer touches it. It is removed only after the segment that holds
//    its bytes was synced; while both are there they say the same, and the segment is believed.
// 4. A closed segment never changes. A growing one only grows, by whole blocks.
// 5. Times do not decrease from a block's first bytes on; a clock that steps back by more than a second closes the block. Nothing is
//    assumed of the order of blocks.
// 6. What is missing is said: by a gap marker where the writer knew, by the reader where positions are missing.
// 7. After the death of the process nothing committed is lost, and what a live stream had written beyond is kept. After
//    the death of the host, what the last sync had seen is kept, and the stream goes on at the next multiple of 2^32.
//
// A block's life: `StreamWriter` appends to an active pair; at 256 KiB the pair is closed; `StreamSealer` compresses it
// into the growing segment; a sync confirms it and the pair goes; `Retention` removes the oldest segments, after
// `BootHeads` has copied out the heads of the boots in them. `StreamReader` finds any position in whichever file holds
// it now, `Follower` is a reader with a cursor, `PairRepair` and `StreamRecovery` make whole what a crash left.
//
// Damage is one stream's affair: a file that cannot be read, or that something else lies in the place of, is a gap for
// readers (`StreamFiles`, `LostEnd`), is set aside by the writer (`StreamRecovery`), and is named by `StoreCheck`.
//
// The bytes of every file are specified in docs/format.md.
