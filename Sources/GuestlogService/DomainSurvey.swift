import LibvirtRPC
import Platforms
import SystemIO

/// What is known of libvirt's domains over one connection. Only the list of them is asked for each time; a domain's XML
/// is read again when the domain has another name or run, or was forgotten. Used by one thread.
struct DomainSurvey {
    private let connection: LibvirtConnection
    private let diagnostics: Diagnostics
    private var known: [DomainUUID: (domain: RemoteDomain, facts: DomainFacts)] = [:]

    init(_ connection: LibvirtConnection, diagnostics: Diagnostics) {
        self.connection = connection
        self.diagnostics = diagnostics
    }

    /// Takes that news: what was read of the domain counts no longer.
    mutating func apply(_ event: DomainEvent) {
        switch event {
        case .changed(let uuid): known[uuid] = nil
        case .lost: known = [:]
        }
    }

    /// Nothing that was read counts any longer.
    mutating func forgetAll() {
        known = [:]
    }

    /// The domains as of now. Throws when libvirt does not answer.
    mutating func scan() throws(LibvirtError) -> [Domain] {
        let before = known
        known = [:]
        var found: [Domain] = []
        for domain in try connection.domains() {
            let last = before[domain.uuid].flatMap { $0.domain == domain ? $0.facts : nil }
            guard let facts = if let last { last } else { try facts(of: domain) } else {
                continue
            }
            known[domain.uuid] = (domain, facts)
            found.append(Domain(facts: facts, isRunning: domain.isRunning))
        }
        return found
    }

    /// What a domain's XML tells; no more than its name where that cannot be had; nil when the domain has gone.
    private func facts(of domain: RemoteDomain) throws(LibvirtError) -> DomainFacts? {
        let xml: [UInt8]
        do throws(LibvirtError) {
            xml = try connection.xml(of: domain)
        } catch {
            guard case .refused(let code, _) = error.reason else {
                throw error
            }
            guard code != LibvirtError.noDomain else {
                return nil
            }
            diagnostics.log(.info, "\(error)")
            return DomainFacts(name: domain.name, uuid: domain.uuid.description)
        }
        do throws(DomainXMLError) {
            return try DomainFacts(xml: xml)
        } catch {
            diagnostics.log(.info, "the XML of the domain \(domain.name): \(error)")
            return DomainFacts(name: domain.name, uuid: domain.uuid.description)
        }
    }
}
