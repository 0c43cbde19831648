// SPDX-License-Identifier: Apache-2.0

import LogModel
import SystemIO

/// The lock file of a VM's folder, as one of the processes holds it that write streams of the VM: libvirt's log daemon
/// writes the console, `guestlog serve` what the guest's agent sends.
///
/// The file's lock is held shared by each of them; earlier versions, one of which wrote all of a VM, took it exclusively.
/// Its numbered locks say who writes what: each stream has one process, and the VM's metadata is changed by one at a time.
struct VMLock {
    private let file: StoredFile
    /// The file's, to notice that the folder was moved or made anew.
    let identity: FileIdentity?

    /// Held by who changes the metadata, for a moment.
    private static let metadata: Int64 = 0
    /// Held shared by all who write the VM.
    private static let presence: Int64 = 1

    /// How many milliseconds a lock is waited for: a check of the store holds it for a moment, and so does a child that a
    /// killed process had begun to start.
    private static let wait = 100
    private static let waitForMetadata = 1000

    /// Throws EWOULDBLOCK when an earlier version of this program writes the VM in another process.
    init(in folder: String, on fileSystem: any FileSystem) throws(SystemError) {
        let path = Self.path(in: folder)
        try fileSystem.clear(path, for: .regular)
        let file = try StoredFile(path, .create, on: fileSystem)
        guard file.lock(isShared: true, within: Self.wait) else {
            throw SystemError("lock", folder, code: SystemError.wouldBlock, reason: Self.isWritten)
        }
        _ = file.tryLock(number: Self.presence, isShared: true)
        self.file = file
        identity = fileSystem.status(path)?.identity
    }

    /// The reason of errors about a VM that another process writes.
    static let isWritten = "another process writes this VM"

    static func path(in folder: String) -> String { folder + "/lock" }

    /// Whether a process writes the VM that has the lock file `file`.
    static func isHeld(_ file: StoredFile) -> Bool {
        file.isLocked || file.isLocked(number: presence)
    }

    /// Whether no other process writes the VM.
    var isAlone: Bool { !file.isLocked(number: Self.presence) }

    /// Is not counted any more as a process that writes the VM; only before the lock is given up.
    func endPresence() {
        file.unlock(number: Self.presence)
    }

    /// Takes the stream's lock, for as long as this lock is held; false when another process has it.
    func take(_ stream: StreamName) -> Bool {
        let number = 1 << 62 | Int64(truncatingIfNeeded: stream.text.stableHash() >> 2)
        return file.lock(number: number, within: Self.wait)
    }

    /// Runs `body` while no other process changes the VM's metadata. Throws EBUSY when one does: at once, or if this `waits`,
    /// after a second.
    func exclusively<Result>(waits: Bool, _ body: () throws(SystemError) -> Result) throws(SystemError) -> Result {
        guard file.lock(number: Self.metadata, within: waits ? Self.waitForMetadata : 0) else {
            throw SystemError("lock", file.path, code: SystemError.busy, reason: "another process holds the lock")
        }
        defer { file.unlock(number: Self.metadata) }
        return try body()
    }
}
