// SPDX-License-Identifier: Apache-2.0

import Glibc
import LogModel
import RotatingFile
import TestSupport
import TestTraits
import Testing

@testable import Capture
@testable import ConsoleHub

@Suite(.blocking) struct DefinitionTests {
    @Test(
        "an invalid name or namespace is refused",
        arguments: ["", ".", "..", "a/b", "a\u{0}b", "a\nb", "\u{9b}", String(repeating: "x", count: 129)]
    )
    func names(name: String) {
        #expect(throws: DefinitionError.self) {
            try ConsoleHub.Definition(key: StreamKey(name: name), endpoint: .inherited)
        }
        #expect(throws: DefinitionError.self) {
            try ConsoleHub.Definition(key: StreamKey(name: "web", namespace: name), endpoint: .inherited)
        }
    }

    @Test(
        "limits that are not allowed are refused",
        arguments: [
            (size: 1, backups: 3, rate: 1, burst: 1), (4096, 1001, 1, 1), (4096, -1, 1, 1), (-1, 3, 1, 1),
            (4096, 3, 0, 1), (4096, 3, -1, 1), (4096, 3, 1, 0), (Int.max, 3, 1, 1), (4096, Int.max, 1, 1),
            (4096, 3, Int.max, 1),
        ]
    )
    func bounds(size: Int, backups: Int, rate: Int, burst: Int) throws {
        let limits = RotationLimits(size: size, backups: backups)
        let rate = RateLimit(rate: rate, burst: burst)
        #expect(throws: DefinitionError.self) {
            try ConsoleHub.Definition(
                key: StreamKey(name: "web"),
                endpoint: .inherited,
                plainFile: .init(path: "/x", limits: limits),
                rate: rate
            )
        }
        #expect(throws: PathPatternError.self) {
            try DiscoveryPattern("/vms/{name}", plainFile: "/x/{name}", plainLimits: limits, rate: rate)
        }
    }

    @Test("a folder entry's name cannot lead outside the folder of plain files")
    func plainFiles() throws {
        let pattern = try DiscoveryPattern("/vms/{namespace}/{name}.sock", plainFile: "/log/{name}/{namespace}.log")
        let found = try pattern.definition(at: .inherited, ["name": "{namespace}", "namespace": "{name}"])
        #expect(found.plainFile?.path == "/log/{namespace}/{name}.log")
        #expect(found.plainFile?.trustedFolder == "/log")
        for values in [["name": "..", "namespace": "x"], ["name": "x", "namespace": ".."]] {
            #expect(throws: DefinitionError.self) { try pattern.definition(at: .inherited, values) }
        }
    }

    @Test("{uuid} matches UUIDs only, also inside a name with dashes")
    func uuids() throws {
        let uuid = "6c5b4c1e-8a53-4d59-9a37-2f4e1b6f0a11"
        let pattern = try DiscoveryPattern("/vms/{name}-{uuid}.sock")
        #expect(PathPattern.match(pattern.path.components[1], "notuuid.sock"[...].utf8) == nil)
        let found = PathPattern.match(pattern.path.components[1], "a-b-\(uuid).sock"[...].utf8)
        #expect(found == ["name": "a-b", "uuid": uuid])
        #expect(throws: DefinitionError.self) {
            try pattern.definition(at: .inherited, ["name": "web", "uuid": "notuuid"])
        }
    }

    @Test("names are compared by bytes: canonically equivalent ones are two VMs, and two endpoints")
    func bytes() throws {
        let (composed, decomposed) = ("caf\u{e9}", "cafe\u{301}")
        #expect(composed == decomposed)
        #expect(StreamKey(name: composed) != StreamKey(name: decomposed))
        #expect(StreamKey(name: "x", namespace: composed) != StreamKey(name: "x", namespace: decomposed))
        #expect(Set([StreamKey(name: composed).vm, StreamKey(name: decomposed).vm]).count == 2)
        #expect(Set([Endpoint.connect(path: "/" + composed), .connect(path: "/" + decomposed)]).count == 2)
        #expect(Endpoint("connect:/a//b/./c") == Endpoint.connect(path: "/a/b/c"))
        let pattern = try DiscoveryPattern("/vms/\(composed)-{name}")
        #expect(PathPattern.match(pattern.path.components[1], "\(decomposed)-x"[...].utf8) == nil)
    }
}
