// SPDX-License-Identifier: Apache-2.0

import LogModel
import TestTraits
import Testing

@Suite(.blocking) struct VMPatternTests {
    private let uuid = "6c5b4c1e-8a53-4d59-9a37-2f4e1b6f0a11"

    private func contains(_ word: String, _ name: String, in namespace: String? = nil) -> Bool {
        VMPattern([word]).contains(VMIdentity(name: name, uuid: uuid, namespace: namespace))
    }

    @Test("a pattern matches names, with their namespace if they have one, and never across the separator")
    func names() {
        #expect(contains("web-*", "web-1") && contains("web-1", "web-1") && contains("web-?", "web-1"))
        #expect(!contains("web-*", "db-1") && !contains("web", "web-1"))
        #expect(contains("lab/*", "db-1", in: "lab") && contains("lab/db-*", "db-1", in: "lab"))
        #expect(contains("*/db-1", "db-1", in: "lab"))
        for word in ["db-*", "l*", "lab*", "lab", "*-1", "?*"] {
            #expect(!contains(word, "db-1", in: "lab"), "\(word)")
        }
        #expect(contains("*", "db-1", in: "lab") && contains("*", "db-1"))
    }

    @Test("a UUID matches its VM, in any spelling")
    func identities() {
        #expect(contains(uuid, "db-1", in: "lab") && contains(uuid.uppercased(), "web"))
        #expect(contains(uuid.replacing("-", with: ""), "web"))
        #expect(!contains("7c5b4c1e-8a53-4d59-9a37-2f4e1b6f0a11", "web"))
        #expect(
            !VMPattern([uuid]).contains(VMIdentity(name: "web")) && !VMPattern([]).contains(VMIdentity(name: "web"))
        )
    }

    @Test("a pattern that is empty, or has an empty part or three, can match no VM")
    func canMatch() {
        #expect(["*", "db-*", "lab/*", "*/db"].allSatisfy(VMPattern.canMatch))
        #expect(!["", "/", "lab/", "/db", "a/b/c"].contains(where: VMPattern.canMatch))
    }
}
