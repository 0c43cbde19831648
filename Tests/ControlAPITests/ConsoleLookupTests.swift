import Capture
import ConsoleHub
import LogModel
import SystemIO
import TestSupport
import Testing

@testable import ControlAPI

@Suite struct ConsoleLookupTests {
    @Test("a console is found by name, UUID or folder; a name that several VMs have is refused with all of them")
    func lookUp() throws {
        let folder = TemporaryFolder()
        let options = CaptureService.Options(store: folder.path + "/store", inflight: folder.path + "/inflight")
        let capture = try CaptureService(options, diagnostics: Diagnostics(threshold: .error))
        let table = ConsoleHub.Options(table: folder.path + "/consoles.json")
        let hub = try ConsoleHub(table, capture: capture, manager: ServiceManager())
        let server = ControlServer(capture: capture, hub: hub, version: "test")
        try capture.start()
        defer { capture.stop() }
        let uuid = "6c5b4c1e-8a53-4d59-9a37-2f4e1b6f0a11"
        let keys = [
            StreamKey(name: "web", uuid: uuid), StreamKey(name: "web", namespace: "a"),
            StreamKey(name: "web", namespace: "a", stream: try #require(StreamName("console1"))),
            StreamKey(name: "db"),
        ]
        for (number, key) in keys.enumerated() {
            hub.add(try .init(key: key, endpoint: .connect(path: "/nowhere/\(number)")))
        }
        func found(_ word: String) throws(APIError) -> Set<StreamKey> {
            Set(try server.consoles(of: word).map(\.definition.key))
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
