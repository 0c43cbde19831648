// SPDX-License-Identifier: Apache-2.0

import LogModel

/// Writes entries in the requested format.
struct RenderedOutput {
    private var human: HumanFormat?
    private var machine: (any EntryWriter)?
    /// Whether boots are shown, and the format can represent them.
    let showsBoots: Bool

    init(_ rendering: Rendering, prefix: Bool) {
        showsBoots = rendering.format.isHuman ? rendering.markers : !rendering.format.isVerbatim
        switch rendering.format {
        case .text, .short, .escaped: human = HumanFormat(rendering, prefix: prefix)
        case .json: machine = JSONFormat()
        case .logfmt: machine = LogfmtFormat()
        case .cri: machine = CRIFormat()
        case .export: machine = JournalExportFormat()
        case .raw: machine = RawFormat()
        }
    }

    /// Shows VM and stream before each line from now on, unless the request determines that.
    mutating func showPrefix() {
        human?.prefix = true
    }

    /// Whether a line can be shown before its end was received.
    var canShowEarly: Bool { human != nil }

    mutating func append(_ line: Line, input: Int, _ label: StreamLabel, to out: inout [UInt8]) {
        human?.append(line, input: input, label, to: &out)
        machine?.append(line, input: input, label, to: &out)
    }

    mutating func appendEarly(_ line: Line, input: Int, _ label: StreamLabel, to out: inout [UInt8]) {
        human?.appendEarly(line, input: input, label, to: &out)
    }

    mutating func append(_ event: StreamEvent, boot: Int?, _ label: StreamLabel, to out: inout [UInt8]) {
        human?.append(event, boot: boot, label, to: &out)
        machine?.append(event, boot: boot, label, to: &out)
    }

    /// An event at `time` ends a line that a part was written of; it may not be shown itself.
    mutating func cutLine(at time: Timestamp, to out: inout [UInt8]) {
        machine?.cutLine(at: time, to: &out)
    }

    /// Appends that a followed VM was deleted, in formats for people.
    mutating func append(deleted vm: String, to out: inout [UInt8]) {
        human?.append(deleted: vm, to: &out)
    }

    /// Ends a piece of output: lines in it cannot be changed any more.
    mutating func endPiece(of out: inout [UInt8]) {
        human?.endFrames(to: &out)
    }

    mutating func finish(to out: inout [UInt8]) {
        human?.finish(to: &out)
        machine?.finish(to: &out)
    }
}
