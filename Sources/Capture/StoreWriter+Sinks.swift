// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import LogStore
import SystemIO

// The sinks' requests to their writer.
extension StoreWriter: SinkOpening {
    var wallNow: Int64 { clock.wallMicroseconds() }

    var maySuspend: Bool { !waitsForLocks && !isPressed }

    func open(_ key: StreamKey, _ properties: StreamProperties) throws(SystemError) -> OpenedSink {
        let vm = try streams.vms.store(of: key.vm, waits: waitsForLocks)
        let now = clock.now
        let writer = try vm.open(key.stream, properties: properties, now: now, waits: waitsForLocks)
        let id = StreamID(vm: vm.vm.directory, stream: key.stream)
        seal(writer, id)
        return OpenedSink(writer: writer, id: id)
    }

    func began(_ stream: StreamID) {
        notifier.began(stream)
    }

    func failed(_ key: StreamKey, _ error: SystemError, consequence: String) {
        if error.code == ENOSPC || error.code == EDQUOT, reserve.isHeld {
            reserve.release()
            isDiskFull = true
            nextReserveAttempt = clock.monotonicMicroseconds() + StreamSink.retryInterval
        }
        if problems.raise(Problems.Subject(key), "not stored: \(error)") {
            diagnostics.log(.error, "\(key): cannot be stored; \(consequence): \(error)")
        }
    }

    // The cause distinguishes the ends of several problems, which are all logged.
    func recovered(_ key: StreamKey) {
        if let problem = problems.clear(Problems.Subject(key)) {
            diagnostics.log(.notice, "\(key): is stored again; it was \(problem)")
        }
    }

    func plainFileFailed(_ path: String, of key: StreamKey, _ error: SystemError) {
        if problems.raise(Problems.Subject(path, of: key.vm), "not written: \(error)") {
            let problem = "cannot write its plain file \(path) (the store still has the log)"
            diagnostics.log(.error, "\(key): \(problem): \(error)")
        }
    }

    func replayed(_ key: StreamKey, bytes: Int) {
        diagnostics.log(
            .notice,
            "\(key): the VMM has replayed its output; \(bytes) bytes of it are stored already"
        )
    }

    func plainFileRecovered(_ path: String, of key: StreamKey, missing: Int) {
        if let problem = problems.clear(Problems.Subject(path, of: key.vm)) {
            diagnostics.log(
                .notice,
                "\(key): its plain file \(path) is written again; up to \(missing) bytes are missing in it; it was \(problem)"
            )
        }
    }

    func closeLater(_ descriptor: Int32) {
        sealer.perform { _ in Glibc.close(descriptor) }
    }
}
