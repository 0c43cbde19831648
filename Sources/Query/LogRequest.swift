// SPDX-License-Identifier: Apache-2.0

public import LogModel
public import LogStore

/// A request for log text, answered from a store: by the command line from a local one, by the daemon from its own.
public struct LogRequest: Sendable {
    /// The VMs, by name, UUID or folder.
    public var vms: [String] = []
    /// Whether all VMs are requested.
    public var all = false
    /// Whether the previous VM of that name is requested.
    public var previousInstance = false
    public var selection = Selection()
    public var rendering = Rendering()

    /// A request for all entries of no VM.
    public init() {}

    /// Maximum number of VMs in one request.
    public static let mostVMs = 1000

    /// The requested VMs in `store`.
    public func resolve(in store: Store) throws -> [Store.VM] {
        if all {
            return try store.vms().filter { $0.ended == nil }
        }
        guard !vms.isEmpty else {
            throw QueryError(.badRequest, "no VM was requested; name VMs, or request all")
        }
        return try VMLookup.resolve(
            vms,
            in: store,
            previousInstance: previousInstance,
            mayMatchNone: selection.follow
        )
    }

    /// The patterns among the words, of which a follower reads the VMs that appear later too; `found` are the VMs that
    /// there are.
    private func followedPattern(besides found: [Store.VM]) -> VMPattern {
        VMPattern(
            !selection.follow ? [] : vms.filter { ShellPattern.isPattern($0) && !VMLookup.isNamed($0, among: found) }
        )
    }

    public func open(_ store: Store, now: Timestamp) throws -> LogQuery {
        try open(resolve(in: store), of: store, now: now, turn: nil)
    }

    /// The response for `vms`, as returned by `resolve(in:)`.
    public func open(_ vms: [Store.VM], of store: Store, now: Timestamp, turn: ReadTurn?) throws -> LogQuery {
        try LogQuery(
            store: store,
            vms: vms,
            areAll: all,
            pattern: followedPattern(besides: vms),
            selection: selection,
            rendering: rendering,
            now: now,
            turn: turn
        )
    }
}
