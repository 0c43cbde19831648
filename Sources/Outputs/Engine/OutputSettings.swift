// SPDX-License-Identifier: Apache-2.0

public import LogModel
public import Query

/// The settings of one output.
public struct OutputSettings: Hashable, Sendable {
    /// Its name, which follows the rule of streams' names.
    public var name: StreamName
    public var destination: DestinationSettings
    /// The VMs whose records are sent.
    public var vms = VMPattern.all
    /// The streams; nil: all.
    public var streams: Set<StreamName>?
    /// The lowest severity; nil: all. A record without a severity counts as informational.
    public var severity: Severity?
    /// The fields that structured records must have.
    public var fields = FieldMatches()
    /// Regular expressions; what they match is replaced before it leaves this host.
    public var redactions: [String] = []
    /// Whether a new output begins with everything that is stored, not with what comes.
    public var startsAtBeginning = false
    /// Whether the begins and ends of boots are sent.
    public var sendsBoots = false
    /// The target size of a batch, in bytes.
    public var batch = Self.defaultBatch
    /// How long a batch that is not full waits for more records, in microseconds.
    public var interval = Self.defaultInterval

    /// The default of `batch`.
    static let defaultBatch = OutputLimits.batch
    /// The default of `interval`.
    static let defaultInterval = OutputLimits.interval
    /// Limits of `batch`: more would cost memory, and less would make each request cost more than its contents.
    public static let batchLimits = 4 << 10...8 << 20

    public init(name: StreamName, destination: DestinationSettings) {
        self.name = name
        self.destination = destination
    }

    /// The VMs and the streams whose records are sent.
    var scope: OutputScope { OutputScope(vms: vms, streams: streams) }

    /// What is read of the store.
    var selection: Selection {
        var selection = Selection()
        selection.streams = streams
        selection.severities = severity.map { .emergency...$0 }
        selection.fields = fields
        selection.follow = true
        return selection
    }
}
