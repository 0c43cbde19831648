// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import LogModel
import LogStore
import SystemIO

// What a user may not read of a store whose other parts are shown.
extension PathOptions.Source {
    /// The most VMs that are reported each on a line of its own.
    private static let reportedVMs = 10

    /// Reports what of the store was left out, and ends the command with the status of an incomplete result. Folders count
    /// only where their VMs may be meant: `words` name VMs, and mean others if they are patterns or none.
    func checkCompleteness(of words: [String]) throws {
        let meansOthers = words.isEmpty || words.contains(where: ShellPattern.isPattern)
        guard reportForbidden() || meansOthers && !hidden.isEmpty else {
            return
        }
        throw ExitCode.outOfReach
    }

    /// Reports the files that were left out until now, by VM; returns whether there are any.
    @discardableResult
    func reportForbidden() -> Bool {
        guard let store, let errors = store.forbidden?.errors, !errors.isEmpty else {
            return false
        }
        let paths = errors.map { $0.subject.dropFirst(store.root.count + 1) }
        let byVM = Dictionary(grouping: paths) { $0.prefix { $0 != "/" } }.sorted { $0.key < $1.key }
        for (_, paths) in byVM.prefix(Self.reportedVMs) {
            let others = paths.count == 1 ? "" : " and \(paths.count - 1) more"
            Self.report(paths[0] + others, of: store, reason: errors[0].reason, "the text there is left out")
        }
        if byVM.count > Self.reportedVMs {
            Output.error("of \(byVM.count - Self.reportedVMs) more VMs files cannot be read by this user")
        }
        return true
    }

    /// Reports the folders in `store` that this user cannot read.
    static func report(hidden folders: [String], of store: Store, reason: String) {
        for folder in folders.prefix(reportedVMs) {
            report(folder[...], of: store, reason: reason, "its VM is not shown")
        }
        if folders.count > reportedVMs {
            Output.error("\(folders.count - reportedVMs) more folders cannot be read by this user")
        }
    }

    private static func report(_ path: Substring, of store: Store, reason: String, _ effect: String) {
        Output.error(
            "\(Terminal.safe(String(path))) in the store \(Terminal.safe(store.root)) cannot be read by this user (\(reason)): "
                + "\(effect); run the command as root, or ask the daemon with --socket"
        )
    }
}
