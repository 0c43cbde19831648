// SPDX-License-Identifier: Apache-2.0

public import LogModel
public import LogStore

/// An entry of the list of VMs, as the API returns it and `guestlog vms` prints it. A store alone tells what is stored;
/// the daemon adds what it knows of the VM now.
public struct VMListing: Sendable {
    public var identity: VMIdentity
    /// `running`, `waiting`, `deleted`, `damaged` or `stored`.
    public var state: String
    /// The name that the VM's owner gave it, and the owner's project, where libvirt knows the VM.
    public var owner: (title: String?, project: String?)?
    /// What is stored; nil without stored output.
    public var stored: (vm: Store.VM, report: VMReport)?
    /// Bytes received and dropped since the daemon started.
    public var receivedBytes: UInt64 = 0
    public var droppedBytes: UInt64 = 0
    /// The consoles that the daemon knows.
    public var consoles: [JSON] = []
    public var problem: String?

    /// A VM with stored output, as far as its store tells: `deleted`; `damaged`, when a part of its log cannot be read;
    /// else `stored`.
    public init(vm: Store.VM, report: VMReport) {
        identity = vm.identity
        state = vm.ended != nil ? "deleted" : report.isDamaged ? "damaged" : "stored"
        stored = (vm, report)
        problem = report.problem
    }

    /// A VM without stored output.
    public init(silent identity: VMIdentity, state: String) {
        self.identity = identity
        self.state = state
    }

    /// The entry as the API returns it.
    public var json: JSON {
        func time(_ moment: Timestamp?) -> JSON { moment.map { .string($0.description) } ?? .null }
        func text(_ text: String?) -> JSON { text.map { .string($0) } ?? .null }
        var members: [(String, JSON)] = [
            ("name", .string(identity.name)),
            ("namespace", text(identity.namespace)),
            ("state", .string(state)),
        ]
        if let owner {
            members += [("title", text(owner.title)), ("project", text(owner.project))]
        }
        if let (vm, report) = stored {
            members += [
                ("folder", .string(vm.directory)),
                ("uuid", text(vm.identity.uuid)),
                ("created", .string(vm.created.description)),
                ("ended", time(vm.ended)),
                ("streams", .array(report.streams.map { .string($0.text) })),
                ("first", time(report.first)),
                ("last", time(report.last)),
                ("text_bytes", .integer(Int64(clamping: report.textBytes))),
                ("stored_bytes", .integer(Int64(report.storedBytes))),
                ("lost_bytes", .integer(Int64(clamping: report.lostBytes))),
                ("lost_lines", .integer(Int64(clamping: report.lostLines))),
                ("boots", .integer(Int64(report.boots))),
            ]
        }
        members += [
            ("received_bytes", .integer(Int64(clamping: receivedBytes))),
            ("dropped_bytes", .integer(Int64(clamping: droppedBytes))),
            ("consoles", .array(consoles)),
            ("problem", text(problem)),
        ]
        return .object(members)
    }
}
