// SPDX-License-Identifier: Apache-2.0

import Capture
import LogModel

/// How far a source has been read: the number of its last record, and where reading can begin again for what follows.
///
/// Reading again from there gives the same records, so that their numbers tell what every stream has received.
struct ReadPosition: Hashable, Sendable {
    /// The source, by a hash of its name: a stream can get records of one after another.
    var source: UInt64
    /// Rises by `step` from one record to the next; what a pipeline makes of one record has the numbers between. After
    /// a loss it leaps, so that no later record has a number that an earlier one had.
    var number: UInt64 = 0
    /// Where to begin reading; the form is the source's own.
    var resume: [UInt8] = []

    init(source name: String) {
        source = name.stableHash()
    }

    /// Whether it is a position in the source `name`.
    func isOf(_ name: String) -> Bool { source == name.stableHash() }

    static let step: UInt64 = 256
    /// Added to `number` when records may be missing; larger than the numbers between two marks.
    static let leap: UInt64 = 1 << 40

    /// Maximum size of `resume`, in bytes. An input whose positions other programs make skips what has a longer one: a
    /// batch refuses the position.
    static let resumeLimit = RecordBatch.positionLimit - 16

    /// Two numbers of eight bytes, most significant first, and `resume`.
    var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(16 + resume.count)
        bytes.append(bigEndian: source)
        bytes.append(bigEndian: number)
        bytes += resume
        return bytes
    }

    init?(_ bytes: [UInt8]) {
        guard bytes.count >= 16 else {
            return nil
        }
        source = bytes[..<8].bigEndian
        number = bytes[8..<16].bigEndian
        resume = Array(bytes[16...])
    }
}
