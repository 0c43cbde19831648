// SPDX-License-Identifier: Apache-2.0

import LogModel
import Synchronization

/// A VM of libvirt.
public struct Domain: Hashable, Sendable {
    /// The facts in its XML.
    public var facts: DomainFacts
    /// Whether it has been started and has not ended; a paused VM runs.
    public var isRunning: Bool

    public init(facts: DomainFacts, isRunning: Bool) {
        self.facts = facts
        self.isRunning = isRunning
    }
}

/// libvirt's domains as last reported, for any thread; replaced as a whole.
///
/// While libvirt does not answer, the last report stays. So a listed domain may be gone; and an unlisted one is unknown
/// to libvirt only if `isKnown`.
public final class DomainDirectory: Sendable {
    private struct Snapshot {
        var domains: [Domain] = []
        var byUUID: [String: Int] = [:]
        var byName: [Bytewise<String>: Int] = [:]
        var isKnown = false
    }

    private let snapshot = Mutex(Snapshot())

    public init() {}

    /// Whether libvirt has reported yet.
    public var isKnown: Bool {
        snapshot.withLock { $0.isKnown }
    }

    /// All domains, including those that do not run, in libvirt's order.
    public var domains: [Domain] {
        snapshot.withLock { $0.domains }
    }

    public func domain(uuid: String) -> Domain? {
        snapshot.withLock { snapshot in snapshot.byUUID[uuid].map { snapshot.domains[$0] } }
    }

    public func domain(named name: String) -> Domain? {
        snapshot.withLock { snapshot in snapshot.byName[Bytewise(name)].map { snapshot.domains[$0] } }
    }

    /// The VM of the running domain whose vsock device has that context id; nil when there is none, or several.
    public func running(vsockContext context: UInt32) -> VMIdentity? {
        let found = domains.filter { $0.isRunning && $0.facts.vsockContext == context }
        guard found.count == 1, let facts = found.first?.facts else {
            return nil
        }
        return facts.vm
    }

    /// Replaces all domains; returns whether that changed anything.
    @discardableResult
    public func replace(with domains: [Domain]) -> Bool {
        var fresh = Snapshot(domains: domains, isKnown: true)
        for (index, domain) in domains.enumerated() {
            fresh.byName[Bytewise(domain.facts.name)] = index
            if let uuid = domain.facts.uuid {
                fresh.byUUID[uuid] = index
            }
        }
        return snapshot.withLock { snapshot in
            guard !snapshot.isKnown || snapshot.domains != domains else {
                return false
            }
            snapshot = fresh
            return true
        }
    }
}
