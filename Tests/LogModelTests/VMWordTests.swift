// SPDX-License-Identifier: Apache-2.0

import TestTraits
import Testing

@testable import LogModel

@Suite("Words for VMs", .blocking)
struct VMWordTests {
    private struct VM {
        let identity: VMIdentity
        var title: String?
    }

    private static let uuid = "6f1c2b9e-0000-4000-8000-000000000001"
    private static let vms = [
        VM(identity: VMIdentity(name: "db")), VM(identity: VMIdentity(name: "db", namespace: "lab")),
        VM(identity: VMIdentity(name: "instance-00000001", uuid: uuid), title: "shop"),
        VM(identity: VMIdentity(name: "instance-00000002", uuid: "6f1cffff-0000-4000-8000-000000000002"), title: "db"),
        VM(identity: VMIdentity(name: "6f1c")), VM(identity: VMIdentity(name: "b", namespace: "a.b")),
        VM(identity: VMIdentity(name: "K")),
    ]

    @Test(
        "the first form that any VM has decides",
        arguments: [
            ("db", [0, 1]), ("lab/db", [1]), ("lab.db", [1]), (uuid, [2]), (uuid.uppercased(), [2]), ("6f1c2", [2]),
            ("6F1C2", [2]), ("6f1c", [4]), ("6f1", []), ("6f1c2b9e00004000", []), ("shop", [2]), ("Shop", []),
            ("a.b/b", [5]), ("a/b", []), ("", []), ("instance-00000002", [3]),
            // The sign of the unit kelvin is canonically equivalent to the letter.
            ("K", [6]), ("\u{212A}", []),
        ] as [(String, [Int])]
    )
    func matches(_ word: String, _ expected: [Int]) {
        let found = VMWord(word).matches(
            in: Array(Self.vms.indices),
            identity: { Self.vms[$0].identity },
            folder: { Self.vms[$0].identity.directoryName },
            title: { Self.vms[$0].title }
        )
        #expect(found == expected)
    }
}
