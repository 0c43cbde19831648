// SPDX-License-Identifier: Apache-2.0

import LogModel
import SystemIO

/// The contents of a VM's `writer.json`: the current writer, or the streams' ends when the VM was closed.
struct WriterState {
    /// The boot id of the host of the current writer; nil when the VM was closed cleanly.
    var hostBoot: String?
    /// Streams to be repaired as after a host crash.
    var unrepaired: Set<StreamName> = []
    /// The highest multiple of `StoreLimits.restartStride` at which a stream was continued.
    var lastStride: UInt64 = 0
    /// The multiple of `StoreLimits.restartStride` at which new streams begin: not 0 when an earlier history of the VM was
    /// removed.
    var firstStride: UInt64 = 0
    /// The streams' ends when the VM was closed cleanly: a stream that ends before has lost data.
    var ends: [StreamName: Cursor] = [:]

    init() {}

    /// Reads the file; nil when the VM was never opened. An unreadable file counts as a host crash.
    init?(at path: String, on fileSystem: any FileSystem) throws(SystemError) {
        switch try MetadataFile.contents(of: path + "/" + Self.name, on: fileSystem) {
        case .absent:
            return nil
        case .unreadable, .metadata(_, false):
            self.init()
            hostBoot = ""
        case .metadata(let metadata, _):
            self.init(metadata)
        }
    }

    init(_ metadata: JSON) {
        hostBoot = metadata["host_boot"]?.text
        unrepaired = Set((metadata["unrepaired"]?.elements ?? []).compactMap { $0.text.flatMap(StreamName.init) })
        lastStride = min(UInt64(clamping: metadata["last_stride"]?.integer ?? 0), StoreLimits.strideLimit)
        firstStride = min(UInt64(clamping: metadata["first_stride"]?.integer ?? 0), StoreLimits.strideLimit)
        if case .object(let members)? = metadata["ends"] {
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
        var metadata: [(String, JSON)] = [
            ("host_boot", hostBoot.map { .string($0) } ?? .null),
            ("unrepaired", .array(unrepaired.sorted().map { .string($0.text) })),
            ("last_stride", .integer(Int64(lastStride))),
            ("ends", .object(ends)),
        ]
        if firstStride > 0 {
            metadata.append(("first_stride", .integer(Int64(firstStride))))
        }
        try fileSystem.replace(Self.name, in: path, with: MetadataFile.text(of: metadata))
    }

    static let name = "writer.json"
}
