// SPDX-License-Identifier: Apache-2.0

import LogModel
import SystemIO

/// The state that one process leaves to the next image by exec: the file that virtlogd writes on SIGUSR1, in its
/// format, so that either program can continue for the other.
///
/// As in libvirt 9.0.0: `/run/virtlogd-restart-exec.json`; `magic` is the process, the same before and after.
public struct LogManagerState: Sendable {
    /// The listening sockets.
    public var sockets: [Int32]
    /// Descriptors to be closed: clients' connections, virt-admin's socket.
    public var others: [Int32]
    public var logs: [LogManager.InheritedLog]

    public init(sockets: [Int32], others: [Int32] = [], logs: [LogManager.InheritedLog]) {
        self.sockets = sockets
        self.others = others
        self.logs = logs
    }

    /// The process that `text` is for; nil when it is malformed.
    public static func process(in text: [UInt8]) -> Int32? {
        (try? JSON(parsing: text))?["magic"]?.text.flatMap { Int32($0) }.flatMap { $0 > 0 ? $0 : nil }
    }

    /// Parses `text`, which is for `process`; nil when it is for another process, or malformed.
    public init?(_ text: [UInt8], of process: Int32) {
        guard let json = try? JSON(parsing: text), json["magic"]?.text == String(process) else {
            return nil
        }
        let server = json["daemon"]?["servers"]?["virtlogd"]
        sockets = Self.listeners(of: server)
        let clients = ["virtlogd", "admin"].compactMap { json["daemon"]?["servers"]?[$0]?["clients"]?.elements }
        others = clients.joined().compactMap { Self.descriptor($0["sock"]?["fd"]) }
        others += Self.listeners(of: json["daemon"]?["servers"]?["admin"])
        logs = (json["handler"]?["files"]?.elements ?? []).compactMap(Self.log)
    }

    private static func listeners(of server: JSON?) -> [Int32] {
        let services = server?["services"]?.elements ?? []
        return services.flatMap { $0["socks"]?.elements ?? [] }.compactMap { descriptor($0["fd"]) }
    }

    private static func descriptor(_ json: JSON?) -> Int32? {
        json?.integer.flatMap { Int32(exactly: $0) }
    }

    /// Parses an open log in `files`.
    public static func log(_ json: JSON) -> LogManager.InheritedLog? {
        guard let pipe = descriptor(json["pipefd"]), let path = json["path"]?.text, let driver = json["driver"]?.text,
            let name = json["domname"]?.text,
            let uuid = json["domuuid"]?.text.flatMap(VMIdentity.canonicalUUID)
        else {
            return nil
        }
        let owner = LogOwner(driver: driver, uuid: uuid, name: name)
        let stream = json["stream"]?.text.flatMap(StreamName.init)
        return LogManager.InheritedLog(owner: owner, path: path, stream: stream, descriptor: pipe)
    }

    public func text(for process: Int32) -> [UInt8] {
        JSON.object([
            (
                "daemon",
                .object([
                    (
                        "servers",
                        .object([
                            ("virtlogd", Self.server(sockets, clients: 1024)),
                            ("admin", Self.server([], clients: 5000)),
                        ])
                    )
                ])
            ),
            ("magic", .string(String(process))),
            ("handler", .object([("files", .array(logs.map(Self.log)))])),
        ]).bytes
    }

    private static func server(_ sockets: [Int32], clients: Int64) -> JSON {
        let service: JSON = .object([
            ("auth", .integer(0)), ("readonly", .bool(false)), ("nrequests_client_max", .integer(1)),
            ("socks", .array(sockets.map(socket))),
        ])
        return .object([
            ("min_workers", .integer(0)), ("max_workers", .integer(0)), ("priority_workers", .integer(0)),
            ("max_clients", .integer(clients)), ("max_anonymous_clients", .integer(20)),
            ("keepaliveInterval", .integer(4_294_967_295)), ("keepaliveCount", .integer(0)),
            ("next_client_id", .integer(1)),
            ("services", .array(sockets.isEmpty ? [] : [service])), ("clients", .array([])),
        ])
    }

    private static func socket(_ descriptor: Int32) -> JSON {
        .object([
            ("fd", .integer(Int64(descriptor))), ("errfd", .integer(-1)), ("pid", .integer(0)),
            ("isClient", .bool(false)), ("unlinkUNIX", .bool(true)),
        ])
    }

    /// Encodes an open log for `files`.
    public static func log(_ log: LogManager.InheritedLog) -> JSON {
        var members: [(String, JSON)] = [
            ("pipefd", .integer(Int64(log.descriptor))), ("path", .string(log.path)),
            ("driver", .string(log.owner.driver)), ("domname", .string(log.owner.name)),
            ("domuuid", .string(log.owner.uuid)),
        ]
        if let stream = log.stream {
            // An extension; virtlogd ignores it.
            members.append(("stream", .string(stream.text)))
        }
        return .object(members)
    }
}
