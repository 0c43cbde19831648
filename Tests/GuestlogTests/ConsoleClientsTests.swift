// SPDX-License-Identifier: Apache-2.0

import LogModel
import TestTraits
import Testing

@testable import guestlog

@Suite("The clients of a console", .blocking)
struct ConsoleClientsTests {
    private static func vm(_ name: String, client: String?, _ others: [(String, JSON)] = []) -> JSON {
        let consoles = client.map { client in
            JSON.object([
                ("stream", .string("console0")), ("clients", .array([.string(client)])), ("writer", .string(client)),
            ])
        }
        return .object([("name", .string(name)), ("consoles", .array(consoles.map { [$0] } ?? []))] + others)
    }

    private static let uuid = "6c5b4c1e-8a53-4d59-9a37-2f4e1b6f0a11"
    private static let vms = [
        vm("web", client: "ann", [("namespace", .string("lab")), ("folder", .string("lab.web"))]),
        vm("instance-00000001", client: "bob", [("uuid", .string(uuid)), ("title", .string("shop"))]),
        // A deleted VM.
        vm("shop", client: nil),
    ]

    @Test(
        "are found by each form of the word that joins it",
        arguments: [
            ("web", "ann"), ("lab/web", "ann"), ("lab.web", "ann"), ("shop", "bob"), ("instance-00000001", "bob"),
            (uuid.uppercased(), "bob"), (String(uuid.prefix(8)), "bob"),
        ]
    )
    func found(_ word: String, _ client: String) {
        let words = ConsoleClients.description(of: word, nil, in: Self.vms)
        #expect(words == "on this console: \(client) (writes)")
    }

    @Test("are not those of another console", arguments: [("db", nil), ("web", "console1")] as [(String, String?)])
    func absent(_ word: String, _ stream: String?) {
        let words = ConsoleClients.description(of: word, stream, in: Self.vms)
        #expect(words == "the console is no longer captured")
    }
}
