// SPDX-License-Identifier: Apache-2.0

import LogModel
import TestTraits
import Testing

@Suite(.blocking) struct IdentityTests {
    @Test(
        "a folder's name is one safe path component, the same for the same VM and different for different ones",
        arguments: ["", ".", "..", "a/b", "Größe", "a b", String(repeating: "x", count: 300), "a\u{0}b", "~1", "%"]
    )
    func folder(name: String) {
        let plain = VMIdentity(name: name)
        let all = [plain, VMIdentity(name: name, namespace: "n"), VMIdentity(name: name, instance: 2)]
        let folders = all.map(\.directoryName)
        #expect(Set(folders).count == 3)
        for folder in folders where !name.isEmpty {
            #expect(folder.utf8.count <= 255 && folder != "." && folder != "..")
            #expect(folder.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "/") })
        }
    }

    @Test("a folder's name determines the identity")
    func fromFolder() {
        let uuid = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
        let identities = [
            VMIdentity(name: "web"), VMIdentity(name: "Gr\u{f6}\u{df}e/a b%~=."),
            VMIdentity(name: "web", namespace: "lab"),
            VMIdentity(name: "web", instance: 12), VMIdentity(name: "lock"), VMIdentity(name: uuid),
            VMIdentity(name: uuid, uuid: uuid),
        ]
        for identity in identities {
            #expect(VMIdentity(directoryName: identity.directoryName) == identity)
        }
        let long = VMIdentity(name: String(repeating: "\u{e4}", count: 300), namespace: "lab")
        let cut = VMIdentity(directoryName: long.directoryName)
        #expect(cut?.namespace == "lab" && cut.map { long.name.hasPrefix($0.name.dropLast()) } == true)
        for folder in [
            "", ".", "lost+found", "a b", "a.b.c", "lock", "access", "%zz", "%77eb", "web~0", "web~x", ".hidden~",
        ] {
            #expect(VMIdentity(directoryName: folder) == nil, "\(folder)")
        }
    }

    @Test("names that differ only beyond the maximum length have folders of their own")
    func longNames() {
        let long = String(repeating: "x", count: 300)
        #expect(VMIdentity(name: long + "a").directoryName != VMIdentity(name: long + "b").directoryName)
    }

    @Test("a UUID is recognized in any spelling")
    func uuids() {
        let canonical = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
        #expect(VMIdentity.canonicalUUID("6BA7B8109DAD11D180B400C04FD430C8") == canonical)
        #expect(VMIdentity.canonicalUUID(canonical) == canonical)
        #expect(VMIdentity.canonicalUUID("6ba7b810") == nil)
        #expect(VMIdentity.canonicalUUID(canonical + "0") == nil)
        #expect(VMIdentity.canonicalUUID("zba7b810-9dad-11d1-80b4-00c04fd430c8") == nil)
    }

    @Test("a stream's name is a safe path component")
    func streams() {
        #expect(StreamName("console0")?.text == "console0")
        for text in ["", "A", "a.b", "a/b", "..", String(repeating: "a", count: 65), "lock"] {
            #expect(StreamName(text) == nil, "\(text)")
        }
    }

    @Test("the hash of a text is the published FNV-1a")
    func hash() {
        // From the test vectors of the FNV authors.
        #expect("".stableHash() == 0xcbf2_9ce4_8422_2325)
        #expect("a".stableHash() == 0xaf63_dc4c_8601_ec8c)
        #expect("foobar".stableHash() == 0x8594_4171_f739_67e8)
    }
}
