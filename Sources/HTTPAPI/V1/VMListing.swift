// SPDX-License-Identifier: Apache-2.0

import Capture
import ConsoleHub
import LogModel
import LogStore
import Libvirt
import Query

/// One line of `guestlog vms`: what is stored, and, when the daemon answers, the current state.
public struct VMListing {
    private let vm: Store.VM?
    private let identity: VMIdentity
    private let report: VMReport?
    private let consoles: [ConsoleHub.Status]
    private let statistics: [StreamStatistics]
    private let problem: String?
    private let domain: Domain?

    /// A VM with stored output.
    public init(
        vm: Store.VM,
        report: VMReport,
        consoles: [ConsoleHub.Status] = [],
        statistics: [StreamStatistics] = [],
        problem: String? = nil,
        domain: Domain? = nil
    ) {
        self.vm = vm
        identity = vm.identity
        self.report = report
        self.consoles = consoles
        self.statistics = statistics
        self.problem = problem ?? report.problem
        self.domain = domain
    }

    /// A VM without stored output.
    init(silent identity: VMIdentity, consoles: [ConsoleHub.Status], problem: String?, domain: Domain?) {
        vm = nil
        self.identity = identity
        report = nil
        self.consoles = consoles
        statistics = []
        self.domain = domain
        let isCaptured = consoles.contains { !$0.definition.isOnDemand }
        let isLogged = domain?.facts.ports.contains { $0.logFile != nil } ?? true
        let isExpected = isCaptured || isLogged || domain?.isRunning == false
        self.problem = problem ?? (isExpected ? nil : Self.uncaptured)
    }

    private static let uncaptured = "its output is not stored: add a log to its console with guestlog libvirt xml"

    /// `running`: libvirt reports that, or a console is connected; `waiting`: it is captured and not connected;
    /// `deleted`; `damaged`: it is not captured, and a part of its log cannot be read; `stored`: it is not captured.
    private var state: String {
        if vm?.ended != nil {
            return "deleted"
        }
        if domain?.isRunning == true {
            return "running"
        }
        if consoles.isEmpty, report?.problem != nil {
            return "damaged"
        }
        if consoles.isEmpty {
            return domain == nil ? "stored" : "waiting"
        }
        return consoles.contains(where: \.isConnected) ? "running" : "waiting"
    }

    /// The line as the API returns it.
    public var json: JSON {
        func time(_ moment: Timestamp?) -> JSON { moment.map { .string($0.description) } ?? .null }
        var members: [(String, JSON)] = [
            ("name", .string(identity.name)),
            ("namespace", identity.namespace.map { .string($0) } ?? .null),
            ("state", .string(state)),
        ]
        if let facts = domain?.facts {
            members.append(("title", facts.ownersName.map { .string($0) } ?? .null))
            members.append(("project", facts.nova?.project.map { .string($0.name) } ?? .null))
        }
        if let vm {
            members.append(("folder", .string(vm.directory)))
            members.append(("uuid", vm.identity.uuid.map { .string($0) } ?? .null))
            members.append(("created", .string(vm.created.description)))
            members.append(("ended", time(vm.ended)))
        }
        if let report {
            members.append(("streams", .array(report.streams.map { .string($0.text) })))
            members.append(("first", time(report.first)))
            members.append(("last", time(report.last)))
            members.append(("text_bytes", .integer(Int64(clamping: report.textBytes))))
            members.append(("stored_bytes", .integer(Int64(report.storedBytes))))
            members.append(("lost_bytes", .integer(Int64(clamping: report.lostBytes))))
            members.append(("boots", .integer(Int64(report.boots))))
        }
        members.append(("received_bytes", .integer(Int64(clamping: statistics.reduce(0) { $0 + $1.received }))))
        members.append(("dropped_bytes", .integer(Int64(clamping: statistics.reduce(0) { $0 + $1.dropped }))))
        members.append(("consoles", .array(consoles.map(Self.console))))
        members.append(("problem", problem.map { .string($0) } ?? .null))
        return .object(members)
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
