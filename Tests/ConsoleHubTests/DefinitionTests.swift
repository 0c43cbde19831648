import Capture
import Glibc
import LogModel
import RotatingFile
import TestSupport
import Testing

@testable import ConsoleHub

@Suite struct DefinitionTests {
    @Test(
        "a name that would be no name, or lead elsewhere, is refused, and so is such a namespace",
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
        "bounds that the writer could not live with are refused",
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
        #expect(throws: DiscoveryPatternError.self) {
            try DiscoveryPattern("/vms/{name}", plainFile: "/x", plainLimits: limits, rate: rate)
        }
    }

    @Test("what a folder's entries are called stays within the folder of the plain files")
    func plainFiles() throws {
        let pattern = try DiscoveryPattern("/vms/{uuid}/{name}.sock", plainFile: "/log/{name}/{uuid}.log")
        let found = try pattern.definition(at: .inherited, ["name": "{uuid}", "uuid": "{name}"])
        #expect(found.plainFile?.path == "/log/{uuid}/{name}.log")
        for values in [["name": "..", "uuid": "x"], ["name": "x", "uuid": ".."]] {
            #expect(throws: DefinitionError.self) { try pattern.definition(at: .inherited, values) }
        }
    }
}
