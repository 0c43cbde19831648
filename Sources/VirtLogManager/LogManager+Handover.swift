// SPDX-License-Identifier: Apache-2.0

import Capture
import Glibc
import LogModel
import SystemIO

// How logs pass from one process to the next.
extension LogManager {
    /// An open log that one process passes to the next.
    public struct InheritedLog: Sendable {
        /// Its VM.
        public var owner: LogOwner
        public var path: String
        /// Its stream; nil: unknown, because the previous process was another program.
        public var stream: StreamName?
        /// The read end of the pipe.
        public var descriptor: Int32

        public init(owner: LogOwner, path: String, stream: StreamName? = nil, descriptor: Int32) {
            self.owner = owner
            self.path = path
            self.stream = stream
            self.descriptor = descriptor
        }
    }

    /// Ends all logs. Those that are `passedOn` are returned and owned by the caller; the output of others is read
    /// first.
    public func suspend(passedOn: Bool) -> [InheritedLog] {
        defer { logs.removeAll() }
        return logs.sorted { $0.key.text < $1.key.text }.compactMap { path, log in
            log.shard.loop.perform { log.suspend(isPassedOn: passedOn) }
                .map { InheritedLog(owner: log.owner, path: path.text, stream: log.key.stream, descriptor: $0) }
        }
    }

    /// Continues a log of an earlier process. `discarded` is what its keeper read and discarded meanwhile.
    public func resume(_ log: InheritedLog, discarded: DiscardedOutput? = nil) {
        let descriptor = Descriptor(owning: log.descriptor)
        let path = LogPath(inherited: log.path, below: options.allowed)
        if let stream = log.stream {
            names.resume(path.text, log.owner, as: stream)
        }
        do throws(LogManagerError) {
            try add(descriptor, log.owner, path, log.stream == nil ? .others : .ours(discarded))
        } catch {
            capture.diagnostics.log(.error, "\(log.path): cannot continue this log: \(error.message)")
        }
    }
}
