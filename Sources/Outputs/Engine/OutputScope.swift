// SPDX-License-Identifier: Apache-2.0

import LogModel

/// The VMs and the streams that an output was given. It is saved with the positions: which streams a change of the
/// configuration has added can be told only by what was selected before.
struct OutputScope: Hashable, Sendable {
    var vms: VMPattern
    /// nil: all.
    var streams: Set<StreamName>?

    init(vms: VMPattern = .all, streams: Set<StreamName>? = nil) {
        (self.vms, self.streams) = (vms, streams)
    }

    /// The scope that `json` describes; nil when it is malformed.
    init?(_ json: JSON) {
        guard let words = json["vms"]?.elements?.map(\.text), !words.contains(nil) else {
            return nil
        }
        vms = VMPattern(words.compactMap(\.self))
        guard let names = json["streams"] else {
            return
        }
        guard let streams = names.elements?.map({ $0.text.flatMap { StreamName($0) } }), !streams.contains(nil) else {
            return nil
        }
        self.streams = Set(streams.compactMap(\.self))
    }

    var json: JSON {
        let names = streams.map { JSON.array($0.map(\.text).sorted().map { .string($0) }) }
        return .object([("vms", .array(vms.words.map { .string($0) }))] + (names.map { [("streams", $0)] } ?? []))
    }

    func contains(_ stream: StreamName) -> Bool { streams?.contains(stream) ?? true }

    /// Whether it has the stream of that VM.
    func contains(_ stream: StreamID, of vm: VMIdentity) -> Bool { contains(stream.stream) && vms.contains(vm) }
}
