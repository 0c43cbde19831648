// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import LogStore
import Synchronization
import SystemIO

// How the store is opened.
extension CaptureService {
    /// Opens the store. Transient errors, such as a full disk, or all are retried until the service stops; meanwhile
    /// output is stored in the rings, and counted when they are full.
    func openStore() -> Result<StoreOpening.Opened, SystemError> {
        while true {
            let result = Result { () throws(SystemError) in try opening.open() }
            if case .success(let opened) = result {
                // Before anybody is told: from then on the rings belong to this store, wherever its folder is moved to.
                writer.setStore(opened.identity)
            }
            opened.withLock { $0 = result }
            guard case .failure(let error) = result, isRetried(error) else {
                if problems.clear(Self.storeSubject) != nil {
                    diagnostics.log(.notice, "the store \(store.root) is open")
                }
                hasOpened.signal()
                return result
            }
            if problems.raise(Self.storeSubject, "not opened: \(error)") {
                diagnostics.log(.error, "cannot open the store: \(error); retrying every second")
            }
            hasOpened.signal()
            if isStopping.wait(seconds: 1) {
                return result
            }
        }
    }

    /// Notes that `change` more sources have something to record for which the runtime folder has no room, or fewer: a
    /// process that follows before it is recorded reports that output was lost.
    func noteUnrecorded(_ change: Int) {
        folders.withLock { $0.first?.noteUnrecorded(change) }
    }

    /// How long `check` waits for the disk, in seconds.
    private static let checkLimit = 3

    /// Throws what would keep a service with `options` from beginning for good: another process has the folder of the
    /// rings or the store, or the store cannot be opened. Changes nothing, and does not wait for a disk that hangs, as a
    /// service does not.
    ///
    /// The locks of a process that `willEnd` before the service begins do not keep it from that.
    public static func check(
        _ options: Options,
        willEnd: @escaping @Sendable (_ process: Int32) -> Bool = { _ in false }
    ) throws(SystemError) {
        let holder = InflightFolder.holder(of: options.inflight)
        if let holder, !willEnd(holder) {
            throw InflightFolder.isHeld(options.inflight, by: holder)
        }
        // Where it is not known who has the store's lock, it is the process that has the rings.
        try checkStore(options, isUnlocked: holder != nil, willEnd: willEnd)
    }

    static func checkStore(
        _ options: Options,
        isUnlocked: Bool = false,
        willEnd: @escaping @Sendable (_ process: Int32) -> Bool = { _ in false }
    ) throws(SystemError) {
        let opening = StoreOpening(
            store: Store(root: options.store, fileSystem: options.fileSystem),
            isExclusive: options.isExclusive,
            usesOwner: options.usesStoreOwner
        )
        let result = Mutex<Result<Void, SystemError>>(.success(()))
        let checked = OneShot()
        let thread = try WorkerThread(name: "gl-check") {
            let outcome = Result { () throws(SystemError) in
                try opening.check(isUnlocked: isUnlocked, willEnd: willEnd)
            }
            result.withLock { $0 = outcome }
            checked.signal()
        }
        guard checked.wait(seconds: checkLimit) else {
            return
        }
        thread.join()
        try result.withLock { $0 }.get()
    }

    private static let storeSubject = "store"

    private func isRetried(_ error: SystemError) -> Bool {
        error.isTransient || retriesStore.load(ordering: .relaxed)
    }

    /// Removes of `vms` what exceeds `limits`; `done` gets what was freed, on the sealer's thread, or ECANCELED after the
    /// service has begun to stop.
    public func vacuum(
        _ vms: [Store.VM],
        to limits: VacuumLimits,
        _ done: @escaping @Sendable (Result<Retention.Freed, SystemError>) -> Void
    ) {
        sealer.perform { sealer in
            done(
                Result { () throws(SystemError) in
                    guard let sealer else {
                        throw SystemError("vacuum", code: ECANCELED, reason: "the service is stopping; try again later")
                    }
                    return try sealer.vacuum(vms, to: limits)
                }
            )
        }
    }

    /// Runs `action` on a thread of the service after everything committed until now is on disk: within a second, or at
    /// once if that `isUrgent`, and not before the disk accepts it.
    public func whenOnDisk(isUrgent: Bool = false, _ action: @escaping @Sendable () -> Void) {
        sealer.whenOnDisk(nil, isUrgent: isUrgent, action)
    }

    /// Opens the plain files that other programs have replaced or removed, without waiting for their next bytes.
    public func reopenPlainFiles() {
        writer.post { $0.reopenPlainFiles() }
    }

    /// Waits until what a crash loop has left is committed, so that each of its rounds leaves less than the one before:
    /// for at most that many seconds, and not at all after few crashes, or when the store cannot be opened.
    public func awaitRecovery(seconds: Int) {
        if case .success? = opened.withLock({ $0 }) {
            _ = writer.recovered.wait(seconds: seconds)
        }
    }

    /// Waits until the store is open, for at most that many seconds (nil: no limit); returns whether it is done. Throws
    /// the error of opening: EWOULDBLOCK when another process serves the store. With `ignoringRetriedErrors`, transient
    /// errors, or all if all are retried, are not thrown: they are in `problems`, and retried until the stop.
    @discardableResult
    public func awaitStore(seconds: Int? = nil, ignoringRetriedErrors: Bool = false) throws(SystemError) -> Bool {
        guard hasOpened.wait(seconds: seconds), let result = opened.withLock({ $0 }) else {
            return false
        }
        if case .failure(let error) = result, !(ignoringRetriedErrors && isRetried(error)) {
            throw error
        }
        return true
    }
}
