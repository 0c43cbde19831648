// SPDX-License-Identifier: Apache-2.0

import LogModel

/// Which of a log engine's streams a request names.
public enum FleetSelection {
    /// Those of `streams` that `request` names, in the order that decides between equal times: that of the VMs in the
    /// request, then that of the streams' names. `engine` names the engine in errors.
    ///
    /// Throws `QueryError` when a word names no VM, or several.
    public static func streams(
        of request: LogRequest,
        among streams: [FleetStream],
        in engine: String
    ) throws(QueryError) -> [FleetStream] {
        let all = Array(Set(streams.map(\.vm))).sorted {
            ($0.nameWithNamespace, $0.uuid ?? "") < ($1.nameWithNamespace, $1.uuid ?? "")
        }
        let vms = request.all ? all : try resolve(request.vms, among: all, in: engine)
        let wanted = request.selection.streams
        let found = vms.flatMap { vm in
            streams.filter { $0.vm == vm && wanted?.contains($0.stream) ?? true }.sorted { $0.stream < $1.stream }
        }
        if found.isEmpty, let wanted, !vms.isEmpty {
            let there = Set(streams.filter { vms.contains($0.vm) }.map(\.stream.text)).sorted().joined(separator: ", ")
            let asked = wanted.map(\.text).sorted().joined(separator: " or ")
            throw QueryError(.noSuchStream, "\(engine) has no stream \(asked) of these VMs; it has \(there)")
        }
        return found
    }

    private static func resolve(
        _ words: [String],
        among all: [VMIdentity],
        in engine: String
    ) throws(QueryError) -> [VMIdentity] {
        var found: [VMIdentity] = []
        for word in words {
            var named = VMWord(word).matches(in: all, identity: \.self, folder: \.directoryName)
            let isOne = !named.isEmpty
            if !isOne, ShellPattern.isPattern(word) {
                named = all.filter { VMPattern([word]).contains($0) }
            }
            guard !named.isEmpty else {
                let known = all.prefix(10).map { VMLookup.quoted($0.nameWithNamespace) }.joined(separator: ", ")
                let there = all.isEmpty ? "it has no VM at all" : "it has \(known)\(all.count > 10 ? ", …" : "")"
                throw QueryError(
                    .noSuchVM,
                    "\(engine) has nothing of VM \(VMLookup.quoted(word)) in the requested time; \(there)"
                )
            }
            guard !isOne || named.count == 1 else {
                let names = named.map { VMLookup.quoted($0.nameWithNamespace) }.joined(separator: " and ")
                throw QueryError(.ambiguousVM, "\(VMLookup.quoted(word)) may be \(names); give the namespace too")
            }
            found += named.filter { !found.contains($0) }
        }
        return found
    }
}
