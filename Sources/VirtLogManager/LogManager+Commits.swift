// SPDX-License-Identifier: Apache-2.0

import Capture
import LogModel
import SystemIO

// How results wait for earlier output.
extension LogManager {
    /// Runs `then` after all earlier output of a log is in its file, and a log that has ended is closed, but not later than
    /// `Options.commitWait`: libvirtd has no deadline for a call and locks the VM meanwhile, so it must not wait for a
    /// disk that hangs. The output reaches the file in its order all the same. A `message` is added to the output of an
    /// open log.
    func afterCommit(of path: LogPath, adding message: [UInt8] = [], _ then: @escaping () -> Void) {
        guard logs[path] != nil || ending[path] != nil else {
            return then()
        }
        var then: (() -> Void)? = then
        func runOnce() {
            let body = then
            then = nil
            body?()
        }
        let timer = loop.schedule(afterMicroseconds: options.commitWait) { runOnce() }
        whenCommitted(path, adding: message) { [loop] in
            loop.cancel(timer)
            runOnce()
        }
    }

    /// Runs `then` after all earlier output of a log is in its file.
    private func whenCommitted(_ path: LogPath, adding message: [UInt8] = [], _ then: @escaping () -> Void) {
        let stream = logs[path].map { ($0.shard, $0.key) } ?? ending[path]
        guard let (shard, key) = stream else {
            return then()
        }
        let then = OnLoop(body: then)
        shard.loop.post { [capture, loop, log = logs[path]] in
            log?.drain()
            log?.put(message)
            guard log?.isCommitted != true else {
                return loop.post { then.body() }
            }
            capture.commit(key, on: shard) { loop.post { then.body() } }
        }
    }

    /// Data that `shard` still has of a log are written to its file before the path is used again.
    func ends(_ path: LogPath, _ key: StreamKey, on shard: Shard) {
        let number = ending.add(path, key, on: shard)
        whenCommitted(path) { [self] in ending.remove(path, number) }
    }
}

/// The shards that may still have data of an ended log, by its path.
struct EndingLogs {
    private var logs: [LogPath: (shard: Shard, key: StreamKey, number: Int)] = [:]
    private var count = 0

    subscript(path: LogPath) -> (Shard, StreamKey)? { logs[path].map { ($0.shard, $0.key) } }

    /// Adds a log; returns its number, because the next log of that path may end soon.
    mutating func add(_ path: LogPath, _ key: StreamKey, on shard: Shard) -> Int {
        count += 1
        logs[path] = (shard, key, count)
        return count
    }

    /// Removes the log of that number, unless another one has ended since.
    mutating func remove(_ path: LogPath, _ number: Int) {
        if logs[path]?.number == number {
            logs[path] = nil
        }
    }
}

/// A closure for the loop's thread, passed through other threads.
private struct OnLoop: @unchecked Sendable {
    let body: () -> Void
}
