// SPDX-License-Identifier: Apache-2.0

/// Whether a log's pipe is read now, or left for a moment while the ring is full.
///
/// A guest that is faster than the disk waits for it, as with a file. A guest does not wait for a disk that is blocked:
/// a ring that was full during many pauses, without being emptied, is not waited for until it is emptied again.
struct PipePacing {
    /// The number of pauses during which the ring was not emptied.
    private var pauses = 0
    /// How far it was emptied then.
    private var progress: UInt64 = 0

    /// The duration of a pause, in microseconds.
    static let pauseTime: Int64 = 2_000
    /// The number of pauses after which a ring that is not emptied counts as blocked: half a second.
    static let pauseLimit = 250

    /// Whether the pipe may be read now. When the ring has no room, `progress` is how far it has been emptied.
    mutating func mayRead(hasRoom: Bool, progress: @autoclosure () -> UInt64) -> Bool {
        guard !hasRoom else {
            return true
        }
        let progress = progress()
        if progress != self.progress {
            (self.progress, pauses) = (progress, 0)
        }
        pauses = min(pauses + 1, Self.pauseLimit)
        return pauses == Self.pauseLimit
    }
}
