// SPDX-License-Identifier: Apache-2.0

import Capture
import Glibc
import LogModel
import LogStore
import SystemIO
import TestSupport
import Testing

@testable import ConsoleHub

/// When a console is dialled and what a connection means, without sockets.
@Suite struct ConsoleLinkTests {
    private static let socket = Endpoint.connect(path: "/run/vm.sock")
    private static let refused = SystemError("connect", "/run/vm.sock", code: ECONNREFUSED)
    private static let absent = SystemError("connect", "/run/vm.sock", code: ENOENT)
    private static let first = PeerIdentity(process: 100, start: 1)
    private static let second = PeerIdentity(process: 200, start: 2)

    private func link(
        _ endpoint: Endpoint = socket,
        isOnDemand: Bool = false,
        isDiscovered: Bool = false,
        knownPeer: PeerIdentity? = nil,
        isUnrecovered: Bool = false
    ) -> ConsoleLink {
        let traits = ConsoleLink.Traits(
            endpoint: endpoint,
            isOnDemand: isOnDemand,
            isDiscovered: isDiscovered,
            joinAge: 1000
        )
        return ConsoleLink(traits, knownPeer: knownPeer, isUnrecovered: isUnrecovered)
    }

    private func connect(
        _ link: inout ConsoleLink,
        to peer: PeerIdentity? = first,
        age: Int64? = 0,
        isContinuing: Bool = false,
        at now: Int64 = 0
    ) -> [ConsoleLink.Action] {
        link.connected(
            to: peer,
            age: age,
            isContinuing: isContinuing,
            isHandedOver: false,
            hasLost: false,
            at: now
        )
    }

    private func expect(
        _ actions: [ConsoleLink.Action],
        _ expected: [ConsoleLink.Action],
        _ location: SourceLocation = #_sourceLocation
    ) {
        #expect(actions == expected, sourceLocation: location)
    }

    private func expect(_ isTrue: Bool, _ location: SourceLocation = #_sourceLocation) {
        #expect(isTrue, sourceLocation: location)
    }

    /// The boundary that a connection is marked with.
    private func boundary(_ actions: [ConsoleLink.Action]) -> ConsoleBoundary? {
        actions.lazy.compactMap { if case .mark(let boundary, _) = $0 { boundary } else { nil } }.first
    }

    private func delay(_ actions: [ConsoleLink.Action]) -> Int64? {
        actions.lazy.compactMap { if case .retry(let delay) = $0 { delay } else { nil } }.first
    }

    @Test("a machine that a VMM continues does not boot: a known one was away, and another one is joined")
    func continued() {
        var unknown = link()
        _ = unknown.begin()
        #expect(boundary(connect(&unknown, isContinuing: true)) == .boot(.joined))
        _ = unknown.disconnected(at: 10)
        #expect(boundary(connect(&unknown, to: Self.second, isContinuing: true)) == .absence(.disconnected))
        _ = unknown.disconnected(at: 20)
        _ = unknown.failed(Self.absent)
        #expect(boundary(connect(&unknown, to: Self.first, isContinuing: true)) == .absence(.disconnected))
        var known = link(knownPeer: Self.first)
        _ = known.begin()
        #expect(boundary(connect(&known, to: Self.second, isContinuing: true)) == .absence(.daemonAway))
    }

    @Test(
        "a VMM's command line tells whether it continues a machine",
        arguments: [
            (["-incoming", "defer"], true), (["--incoming", "tcp:0:1"], true), (["-loadvm", "s"], true),
            (["--restore", "source_url=file:///s"], true), (["--restore=/s"], true), (["-m", "1G"], false),
            (["-name", "x-incoming"], false),
        ]
    )
    func commandLine(_ words: [String], _ isContinuing: Bool) throws {
        let child = try ChildProgram(["sh", "-c", "while :; do sleep 1; done", "qemu"] + words)
        defer { kill(child.process, SIGKILL) }
        #expect(eventually { ProcFile.strings("/proc/\(child.process)/cmdline").contains("qemu") })
        #expect(PeerIdentity(process: child.process, start: 0).isContinuing == isContinuing)
        #expect(!PeerIdentity(process: 0, start: 1).isContinuing)
    }

    @Test("a captured console is dialled until it is reached, with growing delays, and at once when its path changes")
    func dials() {
        var link = link()
        expect(link.begin(), [.dial])
        expect(link.begin(), [])
        var delays: [Int64] = []
        var reports: Set<ConsoleLink.Action> = []
        for _ in 0..<20 {
            let actions = link.failed(Self.refused)
            delays.append(delay(actions) ?? 0)
            reports.formUnion(actions.filter { if case .report = $0 { true } else { false } })
            #expect(reports.isEmpty == (delays.count < 11))
            #expect(link.state == .waiting)
            expect(link.retryDue(), [.dial])
        }
        #expect(delays == delays.sorted() && delays[0] == 2000 && delays.last == 30_000_000)
        #expect(reports == [.report("\(Self.refused); retrying every 30 s")])
        _ = link.failed(Self.refused)
        expect(link.endpointChanged(), [.cancelRetry, .dial])
        expect(delay(link.failed(Self.refused)) == 2000)
        // A timer that fires late changes nothing.
        expect(link.retryDue(), [.dial])
        expect(link.retryDue(), [])
    }

    @Test("a discovered console whose path is gone is forgotten later, unless it is reached before")
    func forgets() {
        var link = link(isDiscovered: true)
        _ = link.begin()
        expect(link.failed(Self.absent), [.forgetLater])
        expect(link.endpointChanged(), [.dial])
        expect(link.failed(Self.absent), [])
        expect(link.endpointChanged(), [.dial])
        expect(link.dialled())
        expect(connect(&link).contains(.cancelForgetting))
        var configured = self.link()
        _ = configured.begin()
        expect(configured.failed(Self.absent), [])
    }

    @Test("a console on demand is dialled for its first client, and left when the last one has gone")
    func onDemand() {
        var link = link(isOnDemand: true)
        expect(link.begin(), [])
        link.hasClients = true
        expect(link.joined(), [.dial])
        let words = ConsoleLink.Action.notify("cannot reach the console: \(Self.refused); retrying")
        expect(link.failed(Self.refused), [words, .retry(afterMicroseconds: 2000), .resumeInput])
        expect(link.retryDue(), [.dial])
        // The same failure is not reported again.
        expect(link.failed(Self.refused), [.retry(afterMicroseconds: 4000), .resumeInput])
        link.hasClients = false
        expect(link.left(isBehind: false), [.cancelRetry])
        #expect(link.state == .idle)
        link.hasClients = true
        expect(link.joined(), [.dial])
        expect(link.dialled())
        expect(connect(&link).last == .resumeInput)
        #expect(link.isConnected)
        link.hasClients = false
        expect(link.left(isBehind: true), [])
        #expect(link.isConnected)
        expect(link.left(isBehind: false), [.hangUp])
        #expect(link.state == .idle)
        // Its client left while it was dialled: the connection is not used.
        link.hasClients = true
        expect(link.joined(), [.dial])
        link.hasClients = false
        expect(!link.dialled())
    }

    @Test("a new connection is a boot, a gap or nothing, as far as the transport knows")
    func boundaries() {
        var fresh = link()
        expect(boundary(connect(&fresh, age: 10)) == .boot(.powerOn))
        var old = link()
        expect(boundary(connect(&old, age: 5000)) == .boot(.joined))
        var known = link(knownPeer: Self.first)
        expect(boundary(connect(&known)) == .absence(.daemonAway))
        var pipe = link(.fifo(path: "/run/vm.fifo"), knownPeer: Self.first)
        expect(boundary(connect(&pipe)) == nil)
        var restarted = link(knownPeer: Self.second)
        expect(boundary(connect(&restarted, age: 5000)) == .boot(.joined))
        _ = restarted.disconnected(at: 10)
        expect(boundary(connect(&restarted)) == .absence(.disconnected))
        _ = restarted.disconnected(at: 20)
        expect(boundary(connect(&restarted, to: Self.second)) == .boot(.powerOn))
        // It was not there for a while, so whatever is there now has started since.
        _ = restarted.disconnected(at: 30)
        _ = restarted.retryDue()
        _ = restarted.failed(Self.refused)
        expect(boundary(connect(&restarted, to: nil, age: nil)) == .boot(.powerOn))
        var passed = link(.inherited)
        let actions = passed.connected(to: Self.first, age: 0, isHandedOver: true, hasLost: true, at: 0)
        #expect(actions == [.mark(.absence(.daemonAway), sinceStop: false), .resumeInput])
        var whole = link(.inherited)
        expect(whole.connected(to: Self.first, age: 0, isHandedOver: true, hasLost: false, at: 0), [.resumeInput])
    }

    @Test("a machine that ended while no daemon ran has a gap and an end, once; one that runs on has a gap")
    func unrecovered() {
        let gap = ConsoleLink.Action.mark(.absence(.daemonAway), sinceStop: true)
        let end: [ConsoleLink.Action] = [gap, .mark(.boot(.closed), sinceStop: false), .forgetPreviousConnection]
        for failure in [Self.refused, Self.absent] {
            var ended = link(isDiscovered: true, knownPeer: Self.first, isUnrecovered: true)
            _ = ended.begin()
            expect(Array(ended.failed(failure).prefix(3)), end)
            _ = ended.endpointChanged()
            expect(!ended.failed(failure).contains(gap))
        }
        var restarted = link(knownPeer: Self.first, isUnrecovered: true)
        expect(Array(connect(&restarted, to: Self.second).prefix(2)), [gap, .mark(.boot(.powerOn), sinceStop: true)])
        var same = link(knownPeer: Self.first, isUnrecovered: true)
        expect(connect(&same), [gap, .resumeInput])
        _ = same.disconnected(at: 10)
        _ = same.retryDue()
        expect(!same.failed(Self.refused).contains(gap))
    }

    @Test("a machine that the previous daemon drained, without a note of its console, has a gap and no boot")
    func drained() {
        var link = link()
        let actions = link.connected(
            to: Self.first,
            age: 5000,
            isHandedOver: false,
            hasLost: false,
            wasDrained: true,
            at: 0
        )
        #expect(actions == [.mark(.absence(.daemonAway), sinceStop: true), .resumeInput])
    }

    @Test("a marker of the time before the first connection begins when the previous daemon stopped")
    func sinceStop() {
        var link = link(knownPeer: Self.first)
        expect(connect(&link).contains(.mark(.absence(.daemonAway), sinceStop: true)))
        _ = link.disconnected(at: 0)
        expect(connect(&link).contains(.mark(.absence(.disconnected), sinceStop: false)))
    }

    @Test("a closed console is dialled again, at once if it lasted; one that cannot be reached again is spent")
    func closes() {
        var link = link()
        _ = connect(&link, at: 0)
        let brief = link.disconnected(at: 10)
        #expect(brief.first == .hangUp && brief.last == .resumeInput && delay(brief) == 2000)
        _ = connect(&link, at: 20)
        expect(delay(link.disconnected(at: 30)) == 4000)
        _ = connect(&link, at: 40)
        expect(delay(link.disconnected(at: 2_000_000)) == 2000)
        expect(link.disconnected(at: 2_000_001), [])
        var listening = self.link(.listen(path: "/run/vm.sock"))
        _ = connect(&listening)
        expect(delay(listening.disconnected(at: 10)) == nil)
        #expect(listening.state == .idle)
        var inherited = self.link(.inherited)
        _ = connect(&inherited)
        expect(inherited.disconnected(at: 10), [.hangUp, .resumeInput, .closeClients])
        #expect(inherited.state == .spent)
        expect(inherited.endpointChanged(), [])
    }

    @Test("nothing happens to a console that has ended, whatever comes late")
    func ends() {
        var link = link(isDiscovered: true)
        _ = link.begin()
        expect(link.end(), [.cancelRetry, .cancelForgetting])
        expect(!link.dialled())
        let late = link.failed(Self.refused) + link.retryDue() + link.endpointChanged() + link.disconnected(at: 0)
        expect(late + link.left(isBehind: false), [])
        #expect(link.state == .ended)
    }
}
