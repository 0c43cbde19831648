// SPDX-License-Identifier: Apache-2.0

import LogModel
import TextFormats

/// The name of a field, or of a member of the object in it: `EndpointProperties.Iface.Statistics`. Fluentd's spelling
/// `$.a.b` is accepted too.
public struct FieldPath: Hashable, Sendable, CustomStringConvertible {
    public let description: String
    private let name: [UInt8]
    private let steps: [[UInt8]]

    public init(_ text: String) {
        description = text
        let plain = text.hasPrefix("$.") ? String(text.dropFirst(2)) : text
        name = Array(plain.utf8)
        steps = plain.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).map { Array($0) }
    }

    /// Whether a field's name is this path, or below it: its object was flattened.
    func contains(_ field: ArraySlice<UInt8>) -> Bool {
        field.starts(with: name)
            && (field.count == name.count || field[field.startIndex + name.count] == UInt8(ascii: "."))
    }

    /// Removes what it names from `record`; returns whether there was any.
    @discardableResult
    func remove(from record: inout RecordBuffer) -> Bool {
        let count = record.fields.count
        record.fields.removeAll { [record] in contains(record[$0.name]) }
        var hasRemoved = record.fields.count < count
        guard steps.count > 1 else {
            return hasRemoved
        }
        for index in record.fields.indices where record.fields[index].form == .literal {
            guard
                let depth = steps.indices.first(where: { depth in
                    depth > 0
                        && record[record.fields[index].name].elementsEqual(
                            steps[..<depth].joined(separator: [UInt8(ascii: ".")])
                        )
                })
            else {
                continue
            }
            let text = Array(record[record.fields[index].value])
            if let edited = Self.removing(steps[depth...], from: text) {
                record.fields[index].value = record.store(edited)
                hasRemoved = true
            }
        }
        return hasRemoved
    }

    /// The object `text` without the member at that path; nil when it has none.
    private static func removing(_ steps: ArraySlice<[UInt8]>, from text: [UInt8]) -> [UInt8]? {
        let cut = text.withUnsafeBytes { bytes -> Range<Int>? in
            var scanner = JSONScanner(bytes)
            scanner.skipSpace()
            return range(of: steps, &scanner)
        }
        guard let cut else {
            return nil
        }
        return Array(text[..<cut.lowerBound] + text[cut.upperBound...])
    }

    /// The member at that path of the object here, with one of the commas beside it.
    private static func range(of steps: ArraySlice<[UInt8]>, _ scanner: inout JSONScanner) -> Range<Int>? {
        guard let step = steps.first, scanner.take(UInt8(ascii: "{")) else {
            return nil
        }
        var comma: Int?
        repeat {
            scanner.skipSpace()
            let start = scanner.offset
            guard scanner.skipString() != nil else {
                return nil
            }
            let isStep = scanner.bytes[start + 1..<scanner.offset - 1].elementsEqual(step)
            scanner.skipSpace()
            guard scanner.take(UInt8(ascii: ":")) else {
                return nil
            }
            scanner.skipSpace()
            if isStep, steps.count > 1 {
                return range(of: steps.dropFirst(), &scanner)
            }
            guard scanner.skipValue() != nil else {
                return nil
            }
            if isStep {
                let end = scanner.offset
                scanner.skipSpace()
                if let comma {
                    return comma..<end
                }
                return scanner.take(UInt8(ascii: ",")) ? start..<scanner.offset : start..<end
            }
            scanner.skipSpace()
            comma = scanner.offset
        } while scanner.take(UInt8(ascii: ","))
        return nil
    }
}
