// SPDX-License-Identifier: Apache-2.0

import Libvirt
import LogModel
import TestTraits
import Testing

@Suite("The directory of domains", .blocking)
struct DomainDirectoryTests {
    private let uuid = "6c5b4c1e-8a53-4d59-9a37-2f4e1b6f0a11"

    @Test("nothing is known before the first report; a report of no domains is known")
    func empty() {
        let directory = DomainDirectory()
        #expect(!directory.isKnown)
        #expect(directory.replace(with: []))
        #expect(directory.isKnown)
        #expect(!directory.replace(with: []))
    }

    @Test("the VM of a domain has the name under which its log is stored")
    func longName() {
        let directory = DomainDirectory()
        var facts = DomainFacts(name: String(repeating: "n", count: 127) + "éé", uuid: uuid)
        facts.vsockContext = 7
        directory.replace(with: [Domain(facts: facts, isRunning: true)])
        #expect(facts.vm == VMIdentity(name: String(repeating: "n", count: 127), uuid: uuid))
        #expect(directory.running(vsockContext: 7) == facts.vm)
    }

    @Test("domains are found by UUID and by name, and each report replaces the previous one")
    func lookup() {
        let directory = DomainDirectory()
        let web = Domain(facts: DomainFacts(name: "web", uuid: uuid), isRunning: true)
        let nameless = Domain(facts: DomainFacts(name: "old", uuid: nil), isRunning: false)
        #expect(directory.replace(with: [web, nameless]))
        #expect(directory.domains == [web, nameless])
        #expect(directory.domain(uuid: uuid) == web)
        #expect(directory.domain(named: "old") == nameless)
        #expect(directory.domain(named: "we") == nil)
        var renamed = web
        renamed.facts.name = "shop"
        #expect(directory.replace(with: [renamed]))
        #expect(directory.domain(uuid: uuid) == renamed)
        #expect(directory.domain(named: "web") == nil)
        #expect(directory.domain(named: "old") == nil)
        renamed.isRunning = false
        #expect(directory.replace(with: [renamed]))
        #expect(!directory.replace(with: [renamed]))
    }
}
