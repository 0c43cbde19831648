// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import HTTPAPI
import LogModel
import TextFormats

/// Tokens for network clients of the API.
struct Token: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token",
        abstract: "Manage API tokens, for access over the network.",
        discussion: "Allowed for root and the daemon's own user only.",
        subcommands: [Add.self, List.self, Revoke.self]
    )

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "add",
            abstract: "Create a token. It is shown once.",
            discussion: """
                Clients send it in Authorization: Bearer, or X-Auth-Token. VMs that the token does not name are treated as \
                absent.
                """
        )

        @Option(
            name: .shortAndLong,
            help: "What it allows: read, console, admin; may be repeated.",
            completion: Completions.scopes
        )
        var scope: [String] = ["read"]

        @Option(help: ArgumentHelp("VMs, as a pattern or a UUID; may be repeated. [all]", valueName: "pattern"))
        var vm: [String] = []

        @Option(help: "A label.")
        var name: String?

        @Option(help: ArgumentHelp("Lifetime, as 90d; without it the token never expires.", valueName: "duration"))
        var life: String?

        @OptionGroup var paths: PathOptions

        func validate() throws {
            if vm.contains("") {
                throw ValidationError("--vm: the pattern is empty; omit --vm to allow all VMs")
            }
            if let unknown = scope.first(where: { Access.Scope(rawValue: $0) == nil }) {
                throw ValidationError("--scope \(unknown): there is no such scope; use one of \(Access.Scope.names)")
            }
        }

        func run() async throws {
            let vms = vm.isEmpty ? VMPattern.all.words : vm
            var members: [(String, JSON)] = [
                ("scopes", .array(scope.map { .string($0) })), ("vms", .array(vms.map { .string($0) })),
            ]
            for (member, value) in [("name", name), ("life", life)] {
                if let value {
                    members.append((member, .string(value)))
                }
            }
            let answer = try await paths.client().post(RequestTarget(["v1", "tokens"]), .object(members))
            do {
                try Output.write((answer["token"]?.text ?? "") + "\n")
            } catch {
                let id = answer["id"]?.text ?? ""
                Output.error("the token \(id) was created and not shown: 'guestlog token revoke \(id)' revokes it")
                throw error
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list",
            abstract: "List all tokens, without their secrets."
        )

        @Option(name: .shortAndLong, help: "text or json.")
        var output: ListFormat = .text

        @OptionGroup var times: TimeOptions
        @OptionGroup var paths: PathOptions

        func run() async throws {
            let tokens = try await paths.client().get(RequestTarget(["v1", "tokens"]))["tokens"]?.elements ?? []
            if output == .json {
                try Output.write(tokens.flatMap { $0.bytes + [Lines.feed] })
                return
            }
            func list(_ token: JSON, _ name: String) -> String {
                Terminal.safe((token[name]?.elements ?? []).compactMap(\.text).joined(separator: ","))
            }
            let now = presentMoment()
            func expires(_ token: JSON) -> String {
                guard let text = token["expires"]?.text, let end = try? TimeWords.parse(text, now: now).first else {
                    return "never"
                }
                return times.cell(text) + (end <= now ? " (expired)" : "")
            }
            let rows = tokens.map { token in
                [
                    token["id"]?.text ?? "", Terminal.safe(token["name"]?.text ?? ""), list(token, "scopes"),
                    list(token, "vms"), times.cell(token["created"]?.text), expires(token),
                ]
            }
            try Output.write(Output.table([["ID", "NAME", "SCOPES", "VMS", "CREATED", "EXPIRES"]] + rows))
        }
    }

    struct Revoke: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "revoke",
            abstract: "Revoke tokens, and close their sessions at once."
        )

        @Argument(help: "Their ids, as list shows them, or the tokens.")
        var ids: [String]

        @OptionGroup var paths: PathOptions

        func validate() throws {
            if ids.contains(where: { TokenRegister.id(in: $0).isEmpty }) {
                throw ValidationError("a token's id is empty; 'guestlog token list' shows the ids")
            }
        }

        func run() async throws {
            for id in ids.map(TokenRegister.id(in:)) {
                _ = try await paths.client().delete(RequestTarget(["v1", "tokens", id]))
                Output.error("the token \(Terminal.safe(id)) was revoked")
            }
        }
    }
}
