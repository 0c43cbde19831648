import LogModel
import Synchronization

/// A VM that libvirt knows.
public struct Domain: Hashable, Sendable {
    /// What its XML tells.
    public var facts: DomainFacts
    /// Whether it has been started and has not ended; one that is paused runs.
    public var isRunning: Bool

    /// A domain from its parts.
    public init(facts: DomainFacts, isRunning: Bool) {
        self.facts = facts
        self.isRunning = isRunning
    }
}

/// The domains that libvirt last told of, for any thread to look at; replaced as a whole.
///
/// While libvirt does not answer, what it told last stays. So a domain that is here may be gone; but one that is not
/// here is not known to libvirt only if `isKnown`.
public final class DomainDirectory: Sendable {
    private struct Snapshot {
        var domains: [Domain] = []
        var byUUID: [String: Int] = [:]
        var byName: [Bytewise<String>: Int] = [:]
        var isKnown = false
    }

    private let snapshot = Mutex(Snapshot())

    /// A directory that nobody has told anything.
    public init() {}

    /// Whether libvirt has told anything yet.
    public var isKnown: Bool {
        snapshot.withLock { $0.isKnown }
    }

    /// All domains, those that do not run too, in libvirt's order.
    public var domains: [Domain] {
        snapshot.withLock { $0.domains }
    }

    /// The domain with that UUID, in its canonical form.
    public func domain(uuid: String) -> Domain? {
        snapshot.withLock { snapshot in snapshot.byUUID[uuid].map { snapshot.domains[$0] } }
    }

    /// The domain that libvirt knows by that name.
    public func domain(named name: String) -> Domain? {
        snapshot.withLock { snapshot in snapshot.byName[Bytewise(name)].map { snapshot.domains[$0] } }
    }

    /// Puts `domains` in place of all that was here; whether that changed anything.
    @discardableResult
    public func replace(with domains: [Domain]) -> Bool {
        var fresh = Snapshot(domains: domains, isKnown: true)
        for (place, domain) in domains.enumerated() {
            fresh.byName[Bytewise(domain.facts.name)] = place
            if let uuid = domain.facts.uuid {
                fresh.byUUID[uuid] = place
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
