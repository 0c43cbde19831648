// SPDX-License-Identifier: Apache-2.0

// Outputs: delivers what is stored to other programs.
//
//     OutputService            the outputs of a daemon: starts, stops, reports                   begin here
//     Engine/
//       OutputRunner           one output: reads, sends, saves its position
//       WakeUps                what ends its waits: commits, commands, the stop, time limits
//       ReportedProblem        which failures are reported and logged: a value without I/O
//       RecordSource           the store's entries as records, in batches
//       RemovedText            what the store has removed undelivered, as records
//       OutputRecord           a record as a destination encodes it
//       Delivery               what to do with a batch by the answers: a state machine without I/O
//       OutputDestination      what a protocol has to do                                       implement this
//       OutputState            the saved positions, and the OutputScope that they belong to
//       SetAsideFile           records that a destination refused, with the reason
//       OutputStatus           counters and health
//     Encoding/                formats that several protocols use
//     Syslog/, OTLP/, Elasticsearch/, Loki/, Forward/, Files/      a folder for each protocol
//     FleetQuery               reads back what outputs have sent to a log engine
//     Fleet/
//       FleetEngine            what an engine has to do: Loki/, VictoriaLogs/                    implement this
//       FleetPages, FleetOrder, FleetOverlap     paging, order, following: values without I/O
//
// Invariants:
// 1. The store is the buffer: an output holds one batch. Memory does not grow with the number of streams, nor while a
//    destination is away.
// 2. At least once, in the order of each stream. A record has a stable id, `vm/stream/offset`, and a time that is unique
//    in its stream and does not decrease; a repeat has the same id and time.
// 3. A position is saved after everything before it was settled: delivered, or set aside with a reason.
// 4. What the store has removed before it was delivered becomes one record with the number of bytes, and a count.
// 5. An output waits for its own destination only.
//
// To add a protocol: a folder with a type that conforms to `OutputDestination`, and a case of `DestinationSettings`.

/// The module's limits, with their reasons.
enum OutputLimits {
    /// The target size of an encoded batch: large enough for few requests, small enough for many outputs.
    static let batch = 1 << 20
    /// Maximum number of records of a batch.
    static let records = 10_000
    /// The delay before a batch that is not full is sent, in microseconds: lines of one event are sent together.
    static let interval: Int64 = 500_000
    /// An unfinished line is sent when its stream has been silent for this long, in microseconds.
    static let silence: Int64 = 5_000_000
    /// The minimum interval between two saved positions, in microseconds.
    static let saving: Int64 = 1_000_000
    /// How long an answer is awaited.
    static let answer = Duration.seconds(30)
}
