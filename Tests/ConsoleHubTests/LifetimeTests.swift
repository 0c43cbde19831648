// SPDX-License-Identifier: Apache-2.0

import Capture
import TestSupport
import TestTraits
import Testing

@testable import ConsoleHub

@Suite(.blocking) struct LifetimeTests {
    @Test("a hub and a capture that have stopped are freed, with their descriptors")
    func freed() throws {
        weak var hub: ConsoleHub?
        weak var capture: CaptureService?
        do {
            let folder = TemporaryFolder()
            let pattern = try DiscoveryPattern(folder.path + "/vms/{name}.sock")
            let fixture = try HubFixture(in: folder, patterns: [pattern])
            let chardev = try Chardev(folder.path + "/web.sock")
            fixture.hub.add(try .init(key: StreamKey(name: "web"), endpoint: .connect(path: chardev.path)))
            let guest = try chardev.accept()
            send("hello\n", to: guest)
            #expect(try eventually { try fixture.text("web").bytes.elementsEqual("hello\n".utf8) })
            (hub, capture) = (fixture.hub, fixture.capture)
            #expect(hub != nil && capture != nil)
        }
        #expect(eventually { hub == nil && capture == nil })
    }
}
