// SPDX-License-Identifier: Apache-2.0

public import LogModel
public import Transforms

/// A source of records: where they are read, and where they go.
public struct SourceDefinition: Hashable, Sendable {
    public enum Kind: Hashable, Sendable {
        case journal(JournalOptions)
        /// Rotated files at a path, whose last part may be a shell pattern.
        case files(path: String, RecordFormat, readsFromHead: Bool)
        /// A receiver of the Fluentd Forward protocol.
        case forward(ForwardOptions)
    }

    /// Its name: of the file with its position. Unique.
    public var name: String
    public var kind: Kind
    /// The records' tag, by which pipelines select them.
    public var tag: String
    /// The fields whose value names the VM of a record; the first that there is.
    public var vmFields: [[UInt8]]
    /// The VM of records without such a field.
    public var vm: String
    /// The stream of the records.
    public var stream: StreamName

    public init(name: String, kind: Kind, tag: String, vm: String, stream: StreamName) {
        self.name = name
        self.kind = kind
        self.tag = tag
        self.vm = vm
        self.stream = stream
        vmFields = Self.usualVMFields
    }

    /// The fields in which Kata names the sandbox, with and without the prefix of the examples.
    public static let usualVMFields = ["kata_sandbox", "sandbox"].map { Array($0.utf8) }
}
