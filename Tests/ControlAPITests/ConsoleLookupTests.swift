import Capture
import ConsoleHub
import Glibc
import LogModel
import SystemIO
import TestSupport
import Testing

@testable import ControlAPI

@Suite struct ConsoleLookupTests {
    /// A server over a capture and a hub in `folder`; the capture runs.
    private func serve(in folder: borrowing TemporaryFolder) throws -> ControlServer {
        let options = CaptureService.Options(store: folder.path + "/store", inflight: folder.path + "/inflight")
        let capture = try CaptureService(options, diagnostics: Diagnostics(threshold: .error))
        let table = ConsoleHub.Options(table: folder.path + "/held")
        let hub = try ConsoleHub(table, capture: capture, manager: ServiceManager())
        try capture.start()
        return ControlServer(
            capture: capture,
            hub: hub,
            tokens: TokenRegister(in: capture.store),
            version: "test"
        )
    }

    @Test("only root and the daemon's own user say where a guest's bytes are appended")
    func plainFiles() throws {
        let folder = TemporaryFolder()
        let server = try serve(in: folder)
        defer { server.capture.stop() }
        func add(_ name: String, _ rest: String, user: UInt32?) throws(APIError) {
            let body = #"{"name": "\#(name)", "endpoint": "connect:/nowhere/\#(name)"\#(rest)}"#
            let peer = user.map { PeerCredentials(process: 1, user: $0, group: 0) }
            _ = try server.addConsole(Array(body.utf8), for: Caller(peer))
        }
        let plain = #", "plain_file": "/etc/cron.d/x""#
        let stranger = geteuid() + 1
        for user in [stranger, nil] {
            let refused = #expect(throws: APIError.self) { try add("web", plain, user: user) }
            #expect(refused?.status == 403)
        }
        try add("web", "", user: stranger)
        try add("db", plain, user: geteuid())
        try add("root", plain, user: 0)
        #expect(server.hub.statuses().map(\.definition.key.name) == ["db", "root", "web"])
    }

    @Test("a console is found by name, UUID or folder; a name that several VMs have is refused with all of them")
    func lookUp() throws {
        let folder = TemporaryFolder()
        let server = try serve(in: folder)
        defer { server.capture.stop() }
        let uuid = "6c5b4c1e-8a53-4d59-9a37-2f4e1b6f0a11"
        let keys = [
            StreamKey(name: "web", uuid: uuid), StreamKey(name: "web", namespace: "a"),
            StreamKey(name: "web", namespace: "a", stream: try #require(StreamName("console1"))),
            StreamKey(name: "db"),
        ]
        for (number, key) in keys.enumerated() {
            server.hub.add(try .init(key: key, endpoint: .connect(path: "/nowhere/\(number)")))
        }
        func found(_ word: String) throws(APIError) -> Set<StreamKey> {
            Set(try server.consoles(of: word, for: Caller(nil)).map(\.key))
        }
        #expect(try found("db") == [keys[3]])
        #expect(try found(uuid.uppercased()) == [keys[0]])
        #expect(try found("a.web") == [keys[1], keys[2]])
        let ambiguous = #expect(throws: APIError.self) { try found("web") }
        #expect(ambiguous?.status == 409)
        #expect(ambiguous?.message.contains(uuid) == true && ambiguous?.message.contains("a.web") == true)
        let unknown = #expect(throws: APIError.self) { try found("wbe") }
        #expect(unknown?.status == 404)
    }
}
