// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import GuestlogService
import LogModel
import LogStore
import Query
import SystemIO

/// What shells complete words to.
enum Completions {
    /// The VMs in the local store, or in that of the line's options, if this user may read it.
    static let vms = CompletionKind.custom { words, _, _ in
        offered(((try? store(of: words)?.vms()) ?? []).map(\.identity.nameWithNamespace))
    }

    /// The streams of these VMs.
    static let streams = CompletionKind.custom { words, _, _ in
        guard let store = store(of: words), let vms = try? store.vms() else {
            return []
        }
        let streams = vms.flatMap { (try? store.streams(of: $0.directory)) ?? [] }
        return offered(streams.map(\.stream.text))
    }

    /// The variable by which a completion script says that it takes each line for one word, and quotes it.
    static let quotingVariable = "GUESTLOG_COMPLETION_QUOTES"

    /// Those of `names` that the shell's script can offer, each once.
    private static func offered(_ names: [String]) -> [String] {
        let isQuoted = Environment[quotingVariable] != nil
        return Set(names).filter { isQuoted ? isLine($0) : isPlain($0) }.sorted()
    }

    /// Whether `name` is one line of text that a terminal shows as it is.
    static func isLine(_ name: String) -> Bool {
        !name.isEmpty && !name.unicodeScalars.contains(where: \.isTerminalHazard)
    }

    private static func store(of words: [String]) -> Store? {
        guard let options = try? PathOptions.parse(pathOptions(in: words)) else {
            return nil
        }
        return (try? options.readerPaths().store).map { Store(root: $0) }
    }

    /// The options of `words` that name a store, with their values.
    private static func pathOptions(in words: [String]) -> [String] {
        var options: [String] = []
        for (index, word) in words.enumerated() {
            if word.hasPrefix("--store=") || word.hasPrefix("--config=") {
                options.append(word)
            } else if word == "--store" || word == "--config", index + 1 < words.count {
                options += [word, words[index + 1]]
            }
        }
        return options
    }

    /// Whether a shell takes `name` as it is, also where it expands the words that it is offered: a name with `$(…)`,
    /// which a tenant can choose, would be run as a command.
    static func isPlain(_ name: String) -> Bool {
        !name.isEmpty
            && name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
                case UInt8(ascii: "0")...UInt8(ascii: "9"): true
                default: "._/-".utf8.contains(byte)
                }
            }
    }

    static let formats = CompletionKind.list(OutputFormat.allCases.map(\.rawValue))
    static let severities = CompletionKind.list(
        ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"]
    )
    static let scopes = CompletionKind.list(["read", "console", "admin"])
}
