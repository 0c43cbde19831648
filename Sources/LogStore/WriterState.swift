import LogModel
import SystemIO

/// What `writer.json` says of a VM: who writes it, or where its streams ended when it was written last.
struct WriterState {
    /// The boot of the host under which it is written; nil when it was closed cleanly.
    var hostBoot: String?
    /// Streams to be repaired as after the host's death.
    var unrepaired: Set<StreamName> = []
    /// The highest multiple of `StoreLimits.restartStride` at which a stream was continued.
    var lastStride: UInt64 = 0
    /// How far each stream had come when the VM was closed cleanly: a stream that ends before has lost something.
    var ends: [StreamName: Cursor] = [:]

    init() {}

    /// What is said in the VM's folder; nil when it was never opened. What cannot be read is taken for a host that died.
    init?(at path: String, on fileSystem: any FileSystem) throws(SystemError) {
        switch try FactsFile.contents(of: path + "/" + Self.name, on: fileSystem) {
        case .absent:
            return nil
        case .unreadable, .facts(_, false):
            self.init()
            hostBoot = ""
        case .facts(let facts, _):
            self.init(facts)
        }
    }

    init(_ facts: JSON) {
        hostBoot = facts["host_boot"]?.text
        unrepaired = Set((facts["unrepaired"]?.elements ?? []).compactMap { $0.text.flatMap(StreamName.init) })
        let limit = StreamLayout.positionLimit / StoreLimits.restartStride
        lastStride = min(UInt64(clamping: facts["last_stride"]?.integer ?? 0), limit)
        if case .object(let members)? = facts["ends"] {
            for (name, end) in members {
                if let stream = StreamName(name), let cursor = end.text.flatMap(Cursor.init),
                    cursor.offset < StreamLayout.positionLimit
                {
                    ends[stream] = cursor
                }
            }
        }
    }

    func write(at path: String, on fileSystem: any FileSystem) throws(SystemError) {
        let ends = ends.sorted { $0.key < $1.key }.map { ($0.key.text, JSON.string($0.value.description)) }
        let text = FactsFile.text(of: [
            ("host_boot", hostBoot.map { .string($0) } ?? .null),
            ("unrepaired", .array(unrepaired.sorted().map { .string($0.text) })),
            ("last_stride", .integer(Int64(lastStride))),
            ("ends", .object(ends)),
        ])
        try fileSystem.replace(Self.name, in: path, with: text)
    }

    static let name = "writer.json"
}
