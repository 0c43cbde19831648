// SPDX-License-Identifier: Apache-2.0

import LogModel
import Synchronization

/// The statistics of the streams that are written, and of all streams together: a host runs any number of VMs, one after
/// another.
final class StatisticsTable: Sendable {
    /// Those of all streams since the start.
    let total = StreamStatistics()
    /// By VM without its alias.
    private let streams = Mutex<[VMIdentity: [StreamKey: StreamStatistics]]>([:])

    /// The statistics of the stream `key`, whose source has claimed it.
    func statistics(of key: StreamKey) -> StreamStatistics {
        streams.withLock { streams in
            let vm = key.vm.withoutAlias
            let known = streams[vm]?[key] ?? StreamStatistics(partOf: total)
            streams[vm, default: [:]][key] = known
            return known
        }
    }

    /// Forgets the statistics of the streams of `vm`, except those that have a source.
    func forget(_ vm: VMIdentity, except claims: Claims) {
        let vm = vm.withoutAlias
        streams.withLock { streams in
            guard let known = streams[vm] else {
                return
            }
            // Asked under the lock: a stream that is claimed later gets new statistics.
            let live = claims.withLock { claimed in known.filter { claimed.contains($0.key) } }
            streams[vm] = live.isEmpty ? nil : live
        }
    }

    /// The statistics that are not forgotten.
    var all: [StreamKey: StreamStatistics] {
        streams.withLock { streams in
            streams.values.reduce(into: [:]) { $0.merge($1) { first, _ in first } }
        }
    }
}
