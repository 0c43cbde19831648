// SPDX-License-Identifier: Apache-2.0

import LogModel
import Outputs
import Query
import TextFormats

/// The section `outputs` of the configuration: a list of outputs, each with a name, a type, what is sent, and what the type
/// requires.
extension OutputSettings {
    /// Reads all outputs in `sections`.
    static func read(_ sections: [ConfigurationReader]) throws(ConfigurationError) -> [OutputSettings] {
        var outputs: [OutputSettings] = []
        for section in sections {
            let read = try section.attempt(nil) { section throws(ConfigurationError) in try OutputSettings(section) }
            guard let output = read else {
                continue
            }
            guard !outputs.contains(where: { $0.name == output.name }) else {
                try section.fail(
                    section.error(at: "name", "another output is named \(output.name); names must differ")
                )
                continue
            }
            outputs.append(output)
        }
        return outputs
    }

    private init(_ section: ConfigurationReader) throws(ConfigurationError) {
        try section.allow(DestinationType.keysByType)
        guard let text = try section.text("name"), let name = StreamName(text) else {
            throw section.error(at: "name", "an output requires a name: \(StreamName.rule)")
        }
        let types = DestinationType.allCases.map(\.rawValue).joined(separator: ", ")
        guard let word = try section.text("type") else {
            throw section.error(at: "type", "an output requires a type: one of \(types)")
        }
        guard let type = DestinationType(rawValue: word) else {
            throw section.error(at: "type", "unknown type \(word) of an output; use one of \(types)")
        }
        try section.allow(DestinationType.keysByType, of: "type: \(type.rawValue)")
        self.init(name: name, destination: try type.destination(section))
        if let words = try section.texts("vms") {
            vms = try section.vmPattern("vms", words)
        }
        try readSelection(section)
        switch try section.text("from") {
        case nil, "now": startsAtBeginning = false
        case "beginning": startsAtBeginning = true
        case let other?: throw section.error(at: "from", "\(other): must be beginning or now")
        }
        sendsBoots = try section.flag("boots") ?? false
        batch = try section.size("batch", atLeast: Self.batchLimits.lowerBound) ?? batch
        guard batch <= Self.batchLimits.upperBound else {
            throw section.error(at: "batch", "batch: must be at most \(Self.batchLimits.upperBound >> 20)MiB")
        }
        interval = try section.duration("interval") ?? interval
    }

    private mutating func readSelection(_ section: ConfigurationReader) throws(ConfigurationError) {
        if let words = try section.texts("streams") {
            guard !words.isEmpty else {
                let key = section.name(of: "streams")
                throw section.error(at: "streams", "\(key) is empty, so nothing is sent: remove it for all streams")
            }
            var names: Set<StreamName> = []
            for word in words {
                names.insert(try section.streamName("streams", word))
            }
            streams = names
        }
        if let word = try section.text("severity") {
            guard let level = Severity(word: word) else {
                throw section.error(at: "severity", "\(word) is not a severity; use one such as err, warning or info")
            }
            severity = level
        }
        let matches = try section.texts("fields") ?? []
        do throws(WordError) {
            fields = try FieldMatches(matches)
        } catch {
            throw section.error(at: "fields", "\(error)")
        }
        redactions = try section.texts("redact") ?? []
        for expression in redactions {
            do throws(PatternError) {
                _ = try Pattern(expression)
            } catch {
                throw section.error(at: "redact", "\(error)")
            }
        }
    }
}

extension Configuration {
    /// The outputs, as shown by `config show`.
    var outputSettings: [(name: String, value: String)] {
        outputs.map { output in
            let vms = output.vms == .all ? "all VMs" : "\(output.vms)"
            return ("output \(output.name)", "\(output.destination.summary): \(vms)")
        }
    }
}
