// SPDX-License-Identifier: Apache-2.0

import HTTPAPI
import LogModel
import LogStore
import Query

// VMs that the daemon knows and that have no log yet.
extension LogSource {
    /// Whether `error` is that a VM is not known.
    static func isUnknownVM(_ error: any Error) -> Bool {
        switch error {
        case let error as QueryError: error.code == .noSuchVM
        case let error as APIError: error.code == "no_such_vm"
        default: false
        }
    }

    /// Why there is no log of a VM that `words` name and the daemon knows, or `error` with the store that was read where
    /// was not named in `paths` and is not the system's; else `error`.
    func explained(_ error: any Error, of words: [String], _ paths: PathOptions) async -> any Error {
        guard Self.isUnknownVM(error) else {
            return error
        }
        guard let daemon, let vms = try? await daemon.get(RequestTarget(["v1", "vms"]))["vms"]?.elements else {
            if let store, !paths.namesStore, let note = SystemDaemon.note(on: store.root) {
                return CommandLineError(description: "\(error); \(note)")
            }
            return error
        }
        for word in words where !ShellPattern.isPattern(word) {
            if let vm = try? VMRow.matches([word], in: vms).first, vm["folder"]?.text == nil {
                let problem = vm["problem"]?.text.map { "; \(Terminal.safe($0))" } ?? ""
                return CommandLineError(description: "\(Terminal.safe(word)) has printed nothing yet\(problem)")
            }
        }
        return error
    }
}
