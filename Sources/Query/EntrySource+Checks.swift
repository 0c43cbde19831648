// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore

// Requests that are not valid for what the store has.
extension EntrySource {
    /// Throws where none of the requested streams is there.
    static func check(
        _ streams: [StreamScope.Found],
        _ scope: StreamScope,
        _ selection: Selection,
        _ vms: [Store.VM]
    ) throws {
        guard let wanted = selection.streams, !selection.follow, streams.isEmpty, !vms.isEmpty else {
            return
        }
        let there = Set(scope.passedOver.map(\.text)).sorted().joined(separator: ", ")
        let asked = wanted.map(\.text).sorted().joined(separator: " or ")
        let who = vms.count == 1 ? VMLookup.quoted(vms[0].identity.name) + " has" : "these VMs have"
        throw QueryError(
            .noSuchStream,
            "\(who) no stream \(asked); "
                + (there.isEmpty ? "nothing of them is stored yet" : "the streams are \(there)")
        )
    }

    /// Throws for a cursor of none of these VMs.
    static func check(_ cursor: QueryCursor, _ vms: [Store.VM]) throws {
        let folders = Set(vms.map(\.directory))
        let streams = cursor.positions.keys
        guard let foreign = streams.first, !streams.contains(where: { folders.contains($0.vm) }) else {
            return
        }
        throw QueryError(
            .badCursor,
            "the cursor belongs to another VM, in folder \(VMLookup.quoted(foreign.vm)); omit it to start from the beginning"
        )
    }

    /// Throws where a stream never had as much text as was read of it: what it has is another text than the cursor's.
    static func check(
        _ cursor: QueryCursor,
        _ streams: [StreamScope.Found],
        _ scope: StreamScope,
        _ store: Store
    ) throws(QueryError) {
        for found in streams {
            guard let position = cursor.positions[found.stream],
                store.start(of: found.stream, after: position) != position
            else {
                continue
            }
            let vm = VMLookup.quoted(scope.vms[found.vm].identity.name)
            throw QueryError(
                .badCursor,
                "the cursor lies beyond the end of the stream \(found.stream.stream) of \(vm): the store was restored, or "
                    + "begun anew, since; omit the cursor to start from the beginning"
            )
        }
    }
}
