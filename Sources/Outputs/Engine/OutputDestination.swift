// SPDX-License-Identifier: Apache-2.0

/// What a protocol has to do: encode records, and send a batch of them.
///
/// Batching, filters, retries, order, positions and status are the engine's.
protocol OutputDestination: Sendable {
    /// The encoding of what all records of a stream have in common, asked for once; `OutputRecord.origin.encoded` is it.
    func encode(_ origin: RecordOrigin) -> [UInt8]

    /// Appends the encoded form of a record.
    func encode(_ record: OutputRecord, to out: inout [UInt8])

    /// Sends `items` of `batch`, in order, and waits for the answer. Called again only after it has returned. Repeats are
    /// sent with the same items.
    func send(_ items: [Int], of batch: OutputBatch) async -> SendResult

    /// Closes connections. Nothing is sent afterwards.
    func close() async
}

extension OutputDestination {
    func encode(_ origin: RecordOrigin) -> [UInt8] { [] }
    func close() async {}
}

/// What became of the items sent.
enum SendResult: Hashable, Sendable {
    /// The result of each, in the order they were sent.
    case items([ItemResult])
    /// The destination has taken all; of these it has dropped `refused`, and does not tell which.
    case accepted(refused: Int = 0, reason: String? = nil)
    /// The destination refuses the request because of its contents.
    case refused(String)
    /// The request is too large for the destination.
    case tooLarge(String)
    /// The destination cannot take anything now; it asks for a pause of `retryAfter` at least.
    case unavailable(String, retryAfter: Duration? = nil)
}

/// What became of one item.
enum ItemResult: Hashable, Sendable {
    case delivered
    /// The destination has stored it, but not as it should: the reason.
    case diverted(String)
    /// To be sent again later.
    case retry(String)
    /// The destination refuses it for good.
    case refused(String)
}
