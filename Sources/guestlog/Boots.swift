// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import HTTPAPI
import LogModel
import LogStore
import Query

struct Boots: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "boots",
        abstract: "List the boots of VMs: when each began and how it ended."
    )

    @Argument(help: ArgumentHelp(VMHelp.several, valueName: "vm"), completion: Completions.vms)
    var vms: [String]

    @Option(name: .shortAndLong, help: "text or json.")
    var output: ListFormat = .text

    @Flag(help: "The previous VM of that name.")
    var previousInstance = false

    @OptionGroup var times: TimeOptions
    @OptionGroup var paths: PathOptions

    func run() async throws {
        let source = try await paths.source()
        let lists: [(vm: String, boots: [JSON])]
        do {
            lists = try await boots(source)
        } catch {
            throw await source.explained(error, of: vms, paths)
        }
        try BootTable(times: times, output: output).write(lists)
        try source.checkCompleteness(of: vms)
    }

    private func boots(_ source: LogSource) async throws -> [(vm: String, boots: [JSON])] {
        guard let store = source.store else {
            return try await ask(source.client)
        }
        let words = await source.untitled(vms)
        return try VMLookup.resolve(words, in: store, previousInstance: previousInstance).map { vm in
            (vm.identity.nameWithNamespace, try BootList.boots(of: vm, in: store).map(\.json))
        }
    }

    private func ask(_ client: APIClient) async throws -> [(vm: String, boots: [JSON])] {
        var listed: [JSON] = []
        if vms.contains(where: ShellPattern.isPattern) {
            listed = try await client.get(RequestTarget(["v1", "vms"]))["vms"]?.elements ?? []
        }
        var lists: [(vm: String, boots: [JSON])] = []
        for vm in try Self.asked(for: vms, among: listed) {
            let parameters = previousInstance && !vm.isMatch ? ["previous-instance": ["1"]] : [:]
            let answer = try await client.get(RequestTarget(["v1", "vms", vm.word, "boots"], parameters))
            lists.append((vm.name, answer["boots"]?.elements ?? []))
        }
        return lists
    }

    /// A VM whose boots the daemon is asked for.
    struct Asked: Equatable {
        let name: String
        /// The word by which the daemon knows it.
        let word: String
        /// Whether it was found by a pattern.
        var isMatch = false
    }

    /// What `words` mean to the daemon, which takes no patterns for boots, each once: a pattern stands for the VMs of
    /// `listed` that exist and match, and any other word is the daemon's to resolve.
    static func asked(for words: [String], among listed: [JSON]) throws -> [Asked] {
        let existing = listed.filter { $0["folder"]?.text != nil && $0["ended"]?.text == nil }
        var seen: Set<[UInt8]> = []
        var asked: [Asked] = []
        for word in words {
            var found = [Asked(name: word, word: word)]
            if ShellPattern.isPattern(word) {
                found = try VMRow.matches([word], in: existing).map { vm in
                    Asked(name: VMRow.name(of: vm), word: vm["folder"]?.text ?? "", isMatch: true)
                }
            }
            asked += found.filter { seen.insert(Array($0.word.utf8)).inserted }
        }
        return asked
    }
}
