// SPDX-License-Identifier: Apache-2.0

import Capture
import ConsoleHub
import Glibc
import LogModel
import LogStore
import SystemIO
import TestSupport
import Testing

@testable import HTTPAPI

/// The deletion of a VM that is captured.
@Suite(.serialized) struct EndVMTests {
    @Test("a VM is captured as before when the store cannot record its deletion, and is deleted when it can")
    func notRecorded() async throws {
        let fixture = try ServerFixture()
        let guest = try fixture.addConsole("web")
        writeAll(Array("one\n".utf8), to: guest)
        #expect(try await fixture.stores("one\n", of: "web"))
        // The store cannot write the VM's metadata.
        let inTheWay = fixture.path + "/store/web/vm.json.new"
        #expect(mkdir(inTheWay, 0o700) == 0)
        let error = await #expect(throws: APIError.self) {
            try await fixture.client.delete(RequestTarget(["v1", "vms", "web"]))
        }
        #expect(error?.status == 500)
        #expect(error.map { "\($0)".hasPrefix("web was not deleted, and is captured as before: open ") } == true)
        #expect(fixture.hub.definitions().map(\.key.name) == ["web"])
        writeAll(Array("two\n".utf8), to: guest)
        #expect(try await fixture.stores("one\ntwo\n", of: "web"))
        #expect(rmdir(inTheWay) == 0)
        _ = try await fixture.client.delete(RequestTarget(["v1", "vms", "web"]))
        #expect(fixture.hub.definitions().isEmpty)
        #expect(fixture.capture.store.vm(in: "web")?.ended != nil)
    }
}
