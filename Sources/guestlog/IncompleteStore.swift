// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Glibc
import LogModel
import LogStore
import SystemIO

// What a user may not read of a store whose other parts are shown.
extension LogSource {
    /// The most VMs that are reported each on a line of its own.
    private static let reportedVMs = 10

    /// Reports what of the store was left out and not yet reported, and ends the command with the status of an
    /// incomplete result if anything was. `tellsHidden` is false where `reportLeftOut` told of the folders before.
    func checkCompleteness(of words: [String], tellsHidden: Bool = true) throws {
        if tellsHidden {
            reportLeftOut(of: words)
        } else {
            reportForbidden()
        }
        guard store?.forbidden?.errors.isEmpty == false || Self.meansOthers(words) && !hidden.isEmpty else {
            return
        }
        throw ExitCode.outOfReach
    }

    /// Reports the files that were left out and not yet reported, and the folders of VMs that this user cannot read if
    /// `words` may mean them.
    func reportLeftOut(of words: [String]) {
        reportForbidden()
        guard Self.meansOthers(words), let store else {
            return
        }
        for folder in hidden.prefix(Self.reportedVMs) {
            Self.report(folder[...], of: store, reason: Self.noPermission, "its VM is not shown")
        }
        if hidden.count > Self.reportedVMs {
            Output.error("\(hidden.count - Self.reportedVMs) more folders cannot be read by this user")
        }
    }

    /// Whether `words`, which name VMs, mean others too: they are patterns or none.
    private static func meansOthers(_ words: [String]) -> Bool {
        words.isEmpty || words.contains(where: ShellPattern.isPattern)
    }

    private static var noPermission: String { SystemError("open", code: EACCES).reason }

    /// Reports the folders of VMs that this user cannot read, each once, if a word of `words` may mean them, and means
    /// no VM that can be read.
    func reportHidden(named words: [String]) {
        guard let store, let forbidden = store.forbidden, !hidden.isEmpty else {
            return
        }
        for word in words where Self.isUnknown(word, in: store) {
            for folder in folders(named: word) {
                _ = forbidden.add(SystemError("open", store.root + "/" + folder, code: EACCES))
            }
        }
        reportForbidden()
    }

    /// Those of the hidden folders whose VM `word` names or, as a pattern, matches.
    private func folders(named word: String) -> [String] {
        let vms = hidden.compactMap { folder in
            VMIdentity(directoryName: folder).map { (folder: folder, identity: $0) }
        }
        let found =
            ShellPattern.isPattern(word)
            ? vms.filter { VMPattern([word]).contains($0.identity) }
            : VMWord(word).matches(in: vms, identity: { $0.identity }, folder: { $0.folder })
        return found.map { $0.folder }
    }

    /// Reports the files that were left out until now and not yet reported, by VM.
    private func reportForbidden() {
        guard let store, let forbidden = store.forbidden else {
            return
        }
        func path(_ error: SystemError) -> Substring { error.subject.dropFirst(store.root.count + 1) }
        let byVM = Dictionary(grouping: forbidden.takeNew()) { path($0).prefix { $0 != "/" } }
        for (_, errors) in byVM.sorted(by: { $0.key < $1.key }).prefix(Self.reportedVMs) {
            let others = errors.count == 1 ? "" : " and \(errors.count - 1) more"
            Self.report(path(errors[0]) + others, of: store, reason: errors[0].reason, "what is there is left out")
        }
        if byVM.count > Self.reportedVMs {
            Output.error("files of \(byVM.count - Self.reportedVMs) more VMs cannot be read by this user")
        }
    }

    private static func report(_ path: Substring, of store: Store, reason: String, _ effect: String) {
        Output.error(
            "\(Terminal.safe(String(path))) in the store \(Terminal.safe(store.root)) cannot be read by this user (\(reason)): "
                + "\(effect); run the command as root, or ask the daemon with --socket"
        )
    }
}
