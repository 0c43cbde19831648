// SPDX-License-Identifier: Apache-2.0

// EndToEndTests: the real program, as a process of its own, with real guests in QEMU.
//
// Begin with `Site`, a folder with a configuration, a running daemon and its consoles. `Guest` is a VM on one of them,
// `ChildProcess` any program, `TerminalSession` a program on a terminal. The suites in `EndToEnd` run one after
// another, because an emulated guest uses a whole core.

import Glibc
import Testing

@Suite(
    .serialized,
    .enabled(
        if: GuestImage.folder != nil && Program.qemu != nil,
        "needs QEMU, and a guest: scripts/make-guest build/guest (or GUESTLOG_GUEST=FOLDER); scripts/test e2e does both"
    )
)
struct EndToEnd {}

/// The programs under test, and others.
enum Program {
    /// The program under test, built beside the test bundle; `GUESTLOG_BINARY` sets another.
    static let guestlog: String = {
        variable("GUESTLOG_BINARY") ?? built("guestlog")
    }()

    /// A program that is built beside the test bundle.
    static func built(_ name: String) -> String {
        let bundle = CommandLine.arguments.first { $0.hasSuffix(".xctest") } ?? CommandLine.arguments[0]
        let folder = bundle.lastIndex(of: "/").map { String(bundle[...$0]) } ?? ""
        return (folder.hasPrefix("/") ? folder : workingFolder + "/" + folder) + name
    }

    /// QEMU for this machine's architecture, which is that of the guest's kernel.
    static let qemu: String? = {
        #if arch(arm64)
            let name = "qemu-system-aarch64"
        #else
            let name = "qemu-system-x86_64"
        #endif
        return (variable("PATH") ?? "/usr/bin").split(separator: ":").map { $0 + "/" + name }
            .first { access($0, X_OK) == 0 }
    }()

    /// Words before a command that run it without root's privileges: tests run as root, users do not.
    static let unprivileged = geteuid() == 0 ? ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--"] : []

    static let repository: String = {
        // …/Tests/EndToEndTests/EndToEndTests.swift
        let parts = #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast(3)
        return parts.joined(separator: "/")
    }()

    static func variable(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
    }

    private static var workingFolder: String {
        guard let path = getcwd(nil, 0) else {
            return "."
        }
        defer { free(path) }
        return String(cString: path)
    }
}

/// The guest that `scripts/make-guest` creates.
enum GuestImage {
    /// The folder with `vmlinuz` and `initrd.gz`; nil when there is none.
    static let folder: String? = {
        let folder = Program.variable("GUESTLOG_GUEST") ?? Program.repository + "/build/guest"
        return access(folder + "/vmlinuz", R_OK) == 0 && access(folder + "/initrd.gz", R_OK) == 0 ? folder : nil
    }()

    /// The password of its user root.
    static let password = "guest"
}
