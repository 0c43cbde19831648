// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import Libvirt
import SystemIO

/// Edits the `<log>` of the serial console in a domain's XML.
struct LibvirtXML: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "xml",
        abstract: "Add a <log> to a domain's serial console, or remove it.",
        discussion: """
            Reads the XML from standard input and writes it, edited, to standard output; the rest of it is not changed. \
            With --domain, edits libvirt's own definition; a running domain has the log from its next start \
            on.
            """
    )

    @Option(help: ArgumentHelp("The domain to edit, by its name or UUID.", valueName: "name"))
    var domain: String?

    @Option(help: ArgumentHelp("The libvirt connection URI.", valueName: "uri"))
    var connect: String?

    @Option(
        help: ArgumentHelp(
            "The log's file; by default that of an existing <log>, else /var/log/libvirt/qemu/NAME-serial0.log.",
            valueName: "path"
        )
    )
    var file: String?

    @Flag(help: "Remove the <log>.")
    var remove = false

    func validate() throws {
        if remove, file != nil {
            throw ValidationError("--file cannot be combined with --remove")
        }
        if connect != nil, domain == nil {
            throw ValidationError("--connect requires --domain")
        }
    }

    func run() throws {
        let text = try domain.map { try virsh("dumpxml", "--inactive", "--security-info", $0) } ?? Input.standardInput()
        var xml = try DomainXML(text)
        let change = try change(&xml)
        guard domain != nil else {
            try Output.write(xml.text)
            return Output.error(Self.summary(of: change))
        }
        if change != .alreadyThere, change != .notThere {
            _ = try virsh("define", "/dev/stdin", input: xml.text)
        }
        try Output.write("\(Terminal.safe(xml.name ?? "")): \(Self.summary(of: change))\n")
    }

    private func change(_ xml: inout DomainXML) throws -> DomainXML.Change {
        guard !remove else {
            return try xml.removeLog()
        }
        guard let file = file ?? xml.logFile ?? xml.name.map({ "/var/log/libvirt/qemu/\($0)-serial0.log" }) else {
            throw ValidationError("the domain has no name: set the log's path with --file")
        }
        return try xml.addLog(file: file)
    }

    private static func summary(of change: DomainXML.Change) -> String {
        switch change {
        case .added: "a log was added"
        case .changed: "the log was changed"
        case .alreadyThere: "the log exists already"
        case .removed: "the log was removed"
        case .notThere: "there is no log"
        }
    }

    private func virsh(_ words: String..., input: [UInt8] = []) throws -> [UInt8] {
        let connection = connect.map { ["--connect", $0] } ?? []
        let outcome = try ChildProgram.run(["virsh", "--quiet"] + connection + words, input: input)
        guard outcome.status == 0 else {
            throw ExitCode.outOfReach
        }
        return outcome.output
    }
}
