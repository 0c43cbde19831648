import LogModel
import SystemIO

/// What `writer.json` says of a VM that is, or was, being written.
struct WriterState {
    /// The boot of the host under which it is written; nil when it was closed cleanly.
    var hostBoot: String?
    /// Streams to be repaired as after the host's death.
    var unrepaired: Set<StreamName> = []
    /// The highest multiple of `StoreLimits.restartStride` at which a stream was continued.
    var lastStride: UInt64 = 0

    init() {}

    /// What is said in the VM's folder; nil when it was closed cleanly or never opened. What cannot be read is taken
    /// for a host that died.
    init?(at path: String, on fileSystem: any FileSystem) throws(SystemError) {
        guard let bytes = try fileSystem.contents(of: path + "/" + Self.name) else {
            return nil
        }
        guard let facts = try? JSON(parsing: bytes) else {
            hostBoot = ""
            return
        }
        hostBoot = facts["host_boot"]?.text
        unrepaired = Set((facts["unrepaired"]?.elements ?? []).compactMap { $0.text.flatMap(StreamName.init) })
        let limit = StreamLayout.positionLimit / StoreLimits.restartStride
        lastStride = min(UInt64(clamping: facts["last_stride"]?.integer ?? 0), limit)
    }

    func write(at path: String, on fileSystem: any FileSystem) throws(SystemError) {
        if hostBoot == nil, unrepaired.isEmpty {
            try fileSystem.remove(path + "/" + Self.name)
            return
        }
        let facts = JSON.object([
            ("host_boot", hostBoot.map { .string($0) } ?? .null),
            ("unrepaired", .array(unrepaired.sorted().map { .string($0.text) })),
            ("last_stride", .integer(Int64(lastStride))),
        ])
        try fileSystem.replace(Self.name, in: path, with: facts.bytes + [Lines.feed])
    }

    private static let name = "writer.json"
}
