// SPDX-License-Identifier: Apache-2.0

/// Whether a VM that starts boots, or continues: from a saved state, or as the target of a migration.
///
/// QEMU's command line shows that. libvirtd writes it to the log of QEMU's messages after it has opened the consoles'
/// logs, and before QEMU runs; so the boundary of a new console is marked when the command line is known, and before
/// the console's first output at the latest. On the thread of the VM's shard, like the logs.
final class MachineStart: @unchecked Sendable {
    // Sendable because it is accessed on the shard's thread alone.

    /// The new consoles whose boundary is not marked yet.
    private var consoles: [LogPipe] = []
    private weak var messages: LogPipe?
    private var commandLine = QEMUCommandLine()

    func add(console: LogPipe) {
        consoles.append(console)
    }

    /// `log`, which is new, is that of QEMU's messages.
    func add(messages log: LogPipe) {
        messages = log
        commandLine = QEMUCommandLine()
    }

    /// `log` has received `bytes`.
    func receive(_ bytes: UnsafeRawBufferPointer, from log: LogPipe) {
        guard !consoles.isEmpty, log === messages else {
            return
        }
        commandLine.append(bytes)
        if commandLine.isComplete {
            mark(isContinued: commandLine.isContinued)
        }
    }

    /// A new console has output, or ends.
    func decide() {
        guard !consoles.isEmpty else {
            return
        }
        messages?.drain()
        mark(isContinued: commandLine.isComplete && commandLine.isContinued)
    }

    private func mark(isContinued: Bool) {
        let begun = consoles
        consoles = []
        begun.forEach { $0.markStart(isContinued: isContinued) }
    }
}
