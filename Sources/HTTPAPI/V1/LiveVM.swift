// SPDX-License-Identifier: Apache-2.0

import Capture
import ConsoleHub
import LogModel
import LogStore
import Libvirt
import Query

/// What the daemon knows of a VM besides its log, and the entry of the list of VMs with that.
struct LiveVM {
    var consoles: [ConsoleHub.Status] = []
    var statistics: [StreamStatistics] = []
    /// Capture's problem with the VM.
    var problem: String?
    var domain: Domain?

    private static let uncaptured = "its output is not stored: add a log to its console with 'guestlog libvirt xml'"

    /// `running`: libvirt reports that, or a console is connected; `waiting`: neither is the case; nil: neither libvirt
    /// nor the hub knows the VM.
    private var state: String? {
        if domain?.isRunning == true || consoles.contains(where: \.isConnected) {
            return "running"
        }
        return domain == nil && consoles.isEmpty ? nil : "waiting"
    }

    /// The entry of an existing VM with stored output.
    func listing(of vm: Store.VM, _ report: VMReport) -> VMListing {
        var listing = VMListing(vm: vm, report: report)
        // Damage is more important than that a VM without consoles does not run.
        let isDamaged = consoles.isEmpty && report.isDamaged
        if let state, state == "running" || !isDamaged {
            listing.state = state
        }
        listing.problem = problem ?? listing.problem
        complete(&listing)
        return listing
    }

    /// The entry of a VM without stored output.
    func listing(silent vm: VMIdentity) -> VMListing {
        let isCaptured = consoles.contains { !$0.definition.isOnDemand }
        let isLogged = domain.map { !$0.facts.logFiles.isEmpty } ?? true
        let isExpected = isCaptured || isLogged || domain?.isRunning == false
        var listing = VMListing(silent: vm, state: state ?? "stored")
        listing.problem = problem ?? (isExpected ? nil : Self.uncaptured)
        complete(&listing)
        return listing
    }

    private func complete(_ listing: inout VMListing) {
        listing.owner = (domain?.facts).map { ($0.ownersName, $0.nova?.project.map(\.name)) }
        listing.receivedBytes = statistics.reduce(0) { $0 + $1.received }
        listing.droppedBytes = statistics.reduce(0) { $0 + $1.dropped }
        listing.consoles = consoles.map(Self.console)
    }

    private static func console(_ status: ConsoleHub.Status) -> JSON {
        .object([
            ("stream", .string(status.definition.key.stream.text)),
            ("endpoint", .string(status.definition.endpoint.description)),
            ("connected", .bool(status.isConnected)),
            ("stored", .bool(status.isStored)),
            ("watchers", .integer(Int64(status.watchers))),
            ("clients", .array(status.clients.map { .string($0) })),
            ("writer", status.writer.map { .string($0) } ?? .null),
            ("socket", status.passThrough.map { .string($0) } ?? .null),
        ])
    }
}
