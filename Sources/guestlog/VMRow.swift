// SPDX-License-Identifier: Apache-2.0

import LogModel

/// The table that `vms` prints, from what the API returns for each VM.
enum VMRow {
    /// The listed VMs that `words` name, in the order of the list. Throws `CommandLineError` for a word that names none.
    static func matches(_ words: [String], in vms: [JSON]) throws -> [JSON] {
        var chosen: Set<Int> = []
        for word in words {
            let named = VMWord(word).matches(
                in: Array(vms.indices),
                identity: { identity(vms[$0]) },
                folder: { vms[$0]["folder"]?.text ?? identity(vms[$0]).directoryName },
                title: { vms[$0]["title"]?.text }
            )
            let isPattern = named.isEmpty && ShellPattern.isPattern(word)
            let found = isPattern ? vms.indices.filter { VMPattern([word]).contains(identity(vms[$0])) } : named
            guard !found.isEmpty else {
                let what = ShellPattern.isPattern(word) ? "no VM matches" : "no VM named"
                throw CommandLineError(description: "\(what) \(Terminal.safe(word)); 'guestlog vms' lists all")
            }
            chosen.formUnion(found)
        }
        return chosen.sorted().map { vms[$0] }
    }

    private static func identity(_ vm: JSON) -> VMIdentity {
        VMIdentity(name: vm["name"]?.text ?? "", uuid: vm["uuid"]?.text, namespace: vm["namespace"]?.text)
    }

    /// The name of a listed VM, with its namespace.
    static func name(of vm: JSON) -> String { identity(vm).nameWithNamespace }

    /// The table of `vms`. A column TITLE is there when a VM has a title, which is what OpenStack's users know it by.
    static func table(_ vms: [JSON], _ times: TimeOptions) -> String {
        let hasTitles = vms.contains { $0["title"]?.text != nil }
        var header = ["NAME", "STATE", "BOOTS", "FIRST", "LAST", "TEXT", "STORED", "LOST", "PROBLEM"]
        if hasTitles {
            header.insert("TITLE", at: 1)
        }
        return Output.table([header] + vms.map { row($0, hasTitles: hasTitles, times) })
    }

    private static func row(_ vm: JSON, hasTitles: Bool, _ times: TimeOptions) -> [String] {
        func text(_ name: String) -> String { vm[name]?.text.map(Terminal.safe) ?? "-" }
        func size(_ name: String) -> String { vm[name]?.integer.map(Output.size) ?? "-" }
        func time(_ name: String) -> String { times.cell(vm[name]?.text) }
        return [Terminal.safe(name(of: vm))] + (hasTitles ? [text("title")] : []) + [
            text("state"), vm["boots"]?.integer.map { String($0) } ?? "-", time("first"), time("last"),
            size("text_bytes"), size("stored_bytes"), lost(vm), text("problem"),
        ]
    }

    /// What was lost: bytes, and lines where only those were counted.
    private static func lost(_ vm: JSON) -> String {
        let bytes = vm["lost_bytes"]?.integer
        guard let lines = vm["lost_lines"]?.integer, lines > 0 else {
            return bytes.map(Output.size) ?? "-"
        }
        let words = lines == 1 ? "1 line" : "\(lines) lines"
        return bytes.flatMap { $0 > 0 ? "\(Output.size($0)), \(words)" : nil } ?? words
    }
}
