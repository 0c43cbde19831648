// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import SystemIO

// Intakes of consoles, and the VMs of all streams.
extension CaptureService {
    /// The shard of a VM's descriptors.
    public func shard(of vm: VMIdentity) -> Shard {
        shards[Int(vm.name.stableHash() % UInt64(shards.count))]
    }

    /// Opens the intake of one stream; to be called, and the result used, on the shard's thread.
    public func open(
        _ key: StreamKey,
        options: StreamOptions,
        on shard: Shard
    ) throws(OpenError) -> StreamIntake {
        try claim(key)
        let statistics = statisticsTable.statistics(of: key)
        let intake: StreamIntake
        do throws(OpenError) {
            intake = try shard.openIntake(key, options: options, statistics: statistics) { [claims] in
                _ = claims.withLock { $0.remove(key) }
            }
        } catch {
            _ = claims.withLock { $0.remove(key) }
            statisticsTable.forget(key.vm, except: claims)
            throw error
        }
        let announcement = StreamTable.Announcement(key: key, options: options, statistics: statistics)
        writer.announce(announcement, ring: shard.number, slot: intake.slot)
        return intake
    }

    func claim(_ key: StreamKey) throws(OpenError) {
        guard claims.withLock({ $0.insert(key).inserted }) else {
            throw .captured
        }
    }

    /// Runs `done`, on the writer's thread, after everything that a stream's source on `shard` has received by now was
    /// committed and written to its plain file. To be called on the shard's thread.
    public func commit(_ key: StreamKey, on shard: Shard, _ done: @escaping @Sendable () -> Void) {
        writer.post { [head = shard.ring.head, ring = shard.number] writer in
            writer.commit(key, ring: ring, upTo: head)
            done()
        }
    }

    /// Marks a VM as deleted: its history is kept for `deletedAge`, and the next VM of its name begins a new one.
    public func end(_ vm: VMIdentity, _ done: @escaping @Sendable (SystemError?) -> Void) {
        writer.post { [self] writer in
            do throws(SystemError) {
                try writer.end(vm)
                statisticsTable.forget(vm, except: claims)
                done(nil)
            } catch {
                done(error)
            }
        }
    }

    /// Passes to `done`, on the writer's thread, the error that `end` of the VM would have now: nil when it can be recorded.
    /// To be called before the VM's sources are removed, which cannot be undone.
    public func checkEnd(of vm: VMIdentity, _ done: @escaping @Sendable (SystemError?) -> Void) {
        writer.post { writer in
            do throws(SystemError) {
                try writer.streams.vms.checkEnd(of: vm)
                done(nil)
            } catch {
                done(error)
            }
        }
    }

    /// The statistics of the streams that have a source, or whose VM has other open streams or is not on disk yet.
    public func statistics() -> [StreamKey: StreamStatistics] { statisticsTable.all }

    /// The statistics of all streams together since the start.
    public var totalStatistics: StreamStatistics { statisticsTable.total }
}
