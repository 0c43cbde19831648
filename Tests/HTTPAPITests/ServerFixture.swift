// SPDX-License-Identifier: Apache-2.0

import Capture
import ConsoleHub
import Glibc
import LogModel
import LogStore
import Libvirt
import NIOEmbedded
import NIOHTTP1
import Synchronization
import SystemIO
import TestSupport
import Testing

@testable import HTTPAPI

/// A daemon in this process, with folders of its own, and a client of it; consoles are socket pairs.
final class ServerFixture: Sendable {
    let capture: CaptureService
    let hub: ConsoleHub
    let client: APIClient
    let path: String
    private let folder: Mutex<TemporaryFolder>
    let server: APIServer
    private let serving: Mutex<[Task<Void, any Error>]>

    init(
        nova: NovaOptions = NovaOptions(),
        outputs: (any OutputControl)? = nil,
        domains: [Domain] = [],
        limits: APIServer.Limits = .longTimeouts,
        servesItself: Bool = true
    ) throws {
        let folder = TemporaryFolder()
        path = folder.path
        let options = CaptureService.Options(store: path + "/store", inflight: path + "/run/inflight")
        capture = try CaptureService(options, diagnostics: Diagnostics(threshold: .error))
        let table = ConsoleHub.Options(table: path + "/run/held")
        hub = try ConsoleHub(table, capture: capture, manager: ServiceManager())
        try capture.start()
        try capture.awaitStore()
        try hub.start()
        let directory = DomainDirectory()
        directory.replace(with: domains)
        let server = APIServer(
            capture: capture,
            hub: hub,
            tokens: TokenRegister(in: capture.store),
            domains: directory,
            nova: nova,
            outputs: outputs,
            version: "test",
            limits: limits,
            servesItself: servesItself
        )
        self.server = server
        client = APIClient(socket: path + "/run/api.sock")
        let listener = try UnixSocket.listen(at: path + "/run/api.sock").release()
        serving = Mutex([Task { try await server.run(on: Descriptor(owning: listener)) }])
        self.folder = Mutex(folder)
    }

    deinit {
        serving.withLock { $0.forEach { $0.cancel() } }
        hub.stop()
        capture.stop()
    }

    /// Opens a TCP listener on the loopback, and returns a client of it.
    func open(_ listener: TCPListener = TCPListener(identity: nil)) throws -> NetworkClient {
        let socket = try NetworkAddress("127.0.0.1:0")!.listen()
        let address = try #require(NetworkAddress(boundTo: socket.raw))
        let raw = socket.release()
        let task = Task { [server] in try await server.run(on: Descriptor(owning: raw), as: .network(listener)) }
        serving.withLock { $0.append(task) }
        return NetworkClient(address: address)
    }

    /// Creates a token with this access.
    func token(_ scopes: Set<Access.Scope> = [.read], vms: [String] = ["*"], expires: Timestamp? = nil) throws -> String
    {
        let access = Access(scopes: scopes, vms: VMPattern(vms))
        return try server.tokens.add(name: "test", access: access, now: now, expires: expires).text
    }

    /// Revokes a token by the API.
    func revoke(_ token: String) async throws {
        let id = try #require(AccessToken.parts(of: token)).id
        _ = try await client.delete(RequestTarget(["v1", "tokens", id]))
    }

    /// The server's time.
    var now: Timestamp { server.context.now }

    /// Adds a VM's console; what is written to the returned descriptor is the guest's output.
    func addConsole(_ vm: String, _ stream: StreamName = .console0, uuid: String? = nil) throws -> Descriptor {
        let pair = try Descriptor.socketPair()
        let key = StreamKey(name: vm, uuid: uuid, stream: stream)
        hub.add(try ConsoleHub.Definition(key: key, endpoint: .inherited), descriptor: try pair.second.duplicate())
        return try pair.first.duplicate()
    }

    /// Waits until the end of `vm`'s stored output is `text`.
    func stores(_ text: String, of vm: String, uuid: String? = nil) async throws -> Bool {
        let stream = StreamID(vm: VMIdentity(name: vm, uuid: uuid).directoryName, stream: .console0)
        return try await awaits {
            try StoredText(of: stream, in: capture.store).bytes.suffix(text.utf8.count).elementsEqual(text.utf8)
        }
    }

    /// The daemon's response to a request for log text.
    func logs(_ parameters: [String: [String]]) async throws -> String {
        var text: [UInt8] = []
        _ = try await client.stream(RequestTarget(["v1", "logs"], parameters)) { text += $0 }
        return String(decoding: text, as: UTF8.self)
    }
}

extension Call {
    /// A request by `caller` with this body, as a handler gets it.
    static func of(
        _ caller: Caller,
        target: RequestTarget = RequestTarget([]),
        values: [String: String] = [:],
        body: [UInt8] = [],
        in context: APIContext
    ) -> Call {
        let channel = EmbeddedChannel()
        var call = Call(
            head: HTTPRequestHead(version: .http1_1, method: .POST, uri: "/"),
            target: target,
            values: values,
            caller: caller,
            origin: RequestOrigin(
                listener: .local,
                peer: nil,
                channel: channel,
                hasLeft: channel.closeFuture
            ),
            reader: context.server.reader(for: caller) { true }
        )
        call.body = body
        return call
    }
}

extension APIServer.Limits {
    /// Limits of a server that waits for its clients on a busy machine.
    static var longTimeouts: Self {
        var limits = Self()
        limits.requestTimeout = .seconds(3600)
        limits.pingInterval = .seconds(3600)
        return limits
    }
}

/// Writes all of `bytes`.
func writeAll(_ bytes: [UInt8], to descriptor: borrowing Descriptor) {
    var done = 0
    while done < bytes.count {
        let count = bytes[done...].withUnsafeBytes { write(descriptor.raw, $0.baseAddress, $0.count) }
        if count < 0, errno == EAGAIN {
            var waited = pollfd(fd: descriptor.raw, events: Int16(POLLOUT), revents: 0)
            poll(&waited, 1, -1)
            continue
        }
        guard count > 0 else {
            Issue.record("cannot write: \(String(cString: strerror(errno)))")
            return
        }
        done += count
    }
}

/// Bytes collected by one thread and read by another.
final class Gathered: Sendable {
    private let bytes = Mutex<[UInt8]>([])

    func append(_ more: [UInt8]) {
        bytes.withLock { $0 += more }
    }

    var count: Int { bytes.withLock { $0.count } }
    var all: [UInt8] { bytes.withLock { $0 } }
    var text: String { String(decoding: all, as: UTF8.self) }
}
