// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import GuestlogService
import KubeVirt
import Kubernetes
import LogModel
import SystemIO

/// The plug-in of kubectl, `kubectl guestlog`: reads the logs of KubeVirt's VMs through the Kubernetes API. A link to this
/// program named kubectl-guestlog runs it. Each subcommand has a file of its own.
struct KubectlGuestlog: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kubectl-guestlog",
        abstract: "Read the console logs of KubeVirt's VMs.",
        discussion: """
            Needs no server of Guestlog: the logs are those of the containers guest-console-log in the VMs' pods. \
            Exit status: as of guestlog.
            """,
        version: ProgramVersion.current,
        subcommands: [KubectlLogs.self, KubectlBoots.self]
    )
}

/// The options of kubectl that say which cluster is asked, as whom.
struct ClusterOptions: ParsableArguments {
    @Option(help: ArgumentHelp("kubectl's configuration file (KUBECONFIG).", valueName: "file"), completion: .file())
    var kubeconfig: String?

    @Option(help: ArgumentHelp("The context in it.", valueName: "name"))
    var context: String?

    @Option(name: .shortAndLong, help: ArgumentHelp("The API server's URL.", valueName: "url"))
    var server: String?

    @Option(help: ArgumentHelp("A token.", valueName: "token"))
    var token: String?

    @Option(
        name: .customLong("as"),
        help: ArgumentHelp("The user that requests are made as (impersonation).", valueName: "name")
    )
    var impersonatedUser: String?

    @Option(
        name: .customLong("as-group"),
        help: ArgumentHelp("A group that requests are made as; may be repeated.", valueName: "name")
    )
    var impersonatedGroups: [String] = []

    @Flag(help: "Do not verify the server's certificate.")
    var insecureSkipTlsVerify = false

    func client() throws -> KubernetesClient {
        var options = ClusterAccess.Options()
        options.file = kubeconfig
        options.context = context
        options.server = server
        options.token = token
        options.impersonatedUser = impersonatedUser
        options.impersonatedGroups = impersonatedGroups
        options.isUnverified = insecureSkipTlsVerify
        options.mayAsk = true
        return KubernetesClient(try ClusterAccess(options))
    }
}

/// The VMs whose logs are read.
struct VMOptions: ParsableArguments {
    @Argument(help: ArgumentHelp("The VMs: their names, or vm/NAME, vmi/NAME.", valueName: "vm"))
    var words: [String] = []

    @Option(name: .shortAndLong, help: ArgumentHelp("Their namespace; by default the context's.", valueName: "name"))
    var namespace: String?

    @Flag(name: [.customShort("A"), .long], help: "All VMs of all namespaces.")
    var allNamespaces = false

    @Option(
        name: [.customShort("l"), .long],
        help: ArgumentHelp("All VMs with these labels: app=web,tier!=test.", valueName: "selector")
    )
    var selector: String?

    func validate() throws {
        if !words.isEmpty, allNamespaces || selector != nil {
            throw ValidationError("a VM's name cannot be combined with --selector or --all-namespaces")
        }
        if words.isEmpty, !allNamespaces, selector == nil {
            throw ValidationError(
                "a VM is missing: name one, or use --selector or --all-namespaces; list them with kubectl get vmi"
            )
        }
    }

    private static let kinds: Set = [
        "vm", "vms", "virtualmachine", "virtualmachines", "vmi", "vmis", "virtualmachineinstance",
        "virtualmachineinstances",
    ]
    private static let group = ".kubevirt.io"

    private static func isKind(_ word: some StringProtocol) -> Bool {
        kinds.contains(word.hasSuffix(group) ? String(word.dropLast(group.count)) : String(word))
    }

    /// The VMs' names, without what is before them in kubectl: `vm/NAME`, `virtualmachine.kubevirt.io/NAME`, `vm NAME`.
    private var names: [String] {
        let isKindFirst = words.count > 1 && Self.isKind(words[0])
        return words.dropFirst(isKindFirst ? 1 : 0).map { word in
            guard let slash = word.firstIndex(of: "/"), Self.isKind(word[..<slash]) else {
                return word
            }
            return String(word[word.index(after: slash)...])
        }
    }

    func pods(_ client: KubernetesClient) -> VMPods {
        VMPods(
            client: client,
            namespace: allNamespaces ? nil : namespace ?? client.namespace,
            names: names,
            selector: selector
        )
    }
}
