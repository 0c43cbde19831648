// SPDX-License-Identifier: Apache-2.0

import TestSupport

/// Random messages with known templates, as kernels, services and runtimes write them.
enum LabelledLines {
    /// `#` is a number, `@` an identifier, `/` at a word's beginning a path, `~` a word.
    static let templates = [
        "eth#: link becomes ready", "usb #-#: new high-speed USB device number # using xhci_hcd",
        "EXT4-fs (vd@): mounted filesystem with ordered data mode. Quota mode: none.",
        "Out of memory: Killed process # (~) total-vm:#kB, anon-rss:#kB", "VM Started", "VM Paused", "VM Resumed",
        "Started Session # of user ~.", "Accepted publickey for ~ from #.#.#.# port # ssh2",
        "Failed password for ~ from #.#.#.# port # ssh2", "release sandbox sandbox=@", "reading guest console",
        "reset agent container=@ sandbox=@", "Starting new signature verification process #",
        "error: open /~/@ failed: No such file or directory", "error: read /~/@ failed: Input/output error",
        "CPU# attaching sched-domain(s)", "request # took # ms", "connection from #.#.#.#:# closed by remote host",
        "segfault at @ ip @ sp @ error # in ~[@+@]", "Unit ~.service entered failed state.",
        "cpus # # # online", "cache miss for key @", "retrying in #s (attempt #)",
    ]

    private static let words = ["root", "alice", "nginx", "postgres", "backup", "qemu", "web", "mail"]

    static func line(_ label: Int, using generator: inout SeededGenerator) -> String {
        var out = ""
        for character in templates[label] {
            switch character {
            case "#": out += String(Int.random(in: 0..<100_000, using: &generator))
            case "@":
                out += String(UInt64.random(in: 1 << 60...UInt64.max, using: &generator), radix: 16)
            case "~": out += words.randomElement(using: &generator)!
            default: out.append(character)
            }
        }
        return out
    }
}
