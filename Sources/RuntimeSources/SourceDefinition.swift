// SPDX-License-Identifier: Apache-2.0

public import LogModel
public import Transforms

/// A source of records: where they are read, and where they go.
public struct SourceDefinition: Hashable, Sendable {
    public enum Kind: Hashable, Sendable {
        case journal(JournalOptions)
        /// Rotated files at a path, whose last part may be a shell pattern.
        case files(path: String, RecordFormat, readsFromHead: Bool)
        /// A console's text, in rotated files that follow each other: the oldest first. It is stored as it came.
        case console([ConsoleFile])
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
    public var vm: VMIdentity
    /// The stream of the records.
    public var stream: StreamName
    /// Of rotated files: a prefix of the path, below which symbolic links are refused, because other users can make
    /// them; nil: they are followed.
    public var trustedFolder: String?
    /// Of rotated files: how long a renamed one is read on before the next one, in microseconds, for programs that still
    /// have it open.
    public var rotateWait: Int64 = 0

    public init(name: String, kind: Kind, tag: String, vm: VMIdentity, stream: StreamName) {
        self.name = name
        self.kind = kind
        self.tag = tag
        self.vm = vm
        self.stream = stream
        vmFields = Self.defaultVMFields
    }

    /// The live files; of other sources none.
    var paths: [String] {
        switch kind {
        case .journal, .forward: []
        case .files(let path, _, _): [path]
        case .console(let files): files.map(\.path)
        }
    }

    /// Whether reading begins, for the first time, behind what there is.
    var beginsAtEnd: Bool {
        switch kind {
        case .journal(let options): !options.readsFromHead
        case .files(_, _, let readsFromHead): !readsFromHead
        case .console, .forward: false
        }
    }

    /// Whether all records go to one stream, which then keeps the source's position.
    var hasOneStream: Bool { vmFields.isEmpty }

    /// The fields in which Kata names the sandbox, with and without the prefix of the examples.
    static let defaultVMFields = ["kata_sandbox", "sandbox"].map { Array($0.utf8) }
}

/// A file of a console: of one machine that had it, such as a pod.
public struct ConsoleFile: Hashable, Sendable {
    /// What tells it from the other files of its console, whatever the path.
    public var id: String
    /// The live file, which has rotated ones beside it.
    public var path: String
    /// A prefix of the path, below which symbolic links are refused; nil: they are followed.
    public var trustedFolder: String?
    /// Where its text is from, for readers.
    public var origin: String
    /// Whether the machine was switched on with its first byte; false: it was running, and had another file before.
    public var beginsBoot: Bool

    public init(
        id: String,
        path: String,
        trustedFolder: String? = nil,
        origin: String,
        beginsBoot: Bool = true
    ) {
        self.id = id
        self.path = path
        self.trustedFolder = trustedFolder
        self.origin = origin
        self.beginsBoot = beginsBoot
    }
}
