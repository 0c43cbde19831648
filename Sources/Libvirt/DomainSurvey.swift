// SPDX-License-Identifier: Apache-2.0

import SystemIO

/// The domains of one libvirt connection. Each scan queries their list only; a domain's XML is read again when its name
/// or its run has changed, or it was forgotten. Used by one thread.
struct DomainSurvey {
    private let connection: LibvirtConnection
    private let diagnostics: Diagnostics
    private var known: [DomainUUID: (domain: RemoteDomain, facts: DomainFacts)] = [:]

    init(_ connection: LibvirtConnection, diagnostics: Diagnostics) {
        self.connection = connection
        self.diagnostics = diagnostics
    }

    /// Applies an event: the domain's XML will be read again.
    mutating func apply(_ event: DomainEvent) {
        switch event {
        case .changed(let uuid): known[uuid] = nil
        case .lost: known = [:]
        }
    }

    /// Forgets everything, so that all XML will be read again.
    mutating func forgetAll() {
        known = [:]
    }

    /// The domains now. Throws when libvirt does not answer.
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

    /// The facts in a domain's XML; the name alone when the XML is not available; nil when the domain is gone.
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
            diagnostics.log(.info, "cannot read the XML of the domain \(domain.name): \(error)")
            return DomainFacts(name: domain.name, uuid: domain.uuid.description)
        }
    }
}
