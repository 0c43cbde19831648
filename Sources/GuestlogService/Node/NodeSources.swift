// SPDX-License-Identifier: Apache-2.0

import KubeVirt
import LogModel
import RuntimeSources
import Transforms

/// The sources of the logs of KubeVirt's VMs.
enum NodeSources {
    /// The streams with what virt-launcher and QEMU write.
    static let launcherStream = StreamName("virt-launcher")!
    static let machineStream = StreamName("qemu")!
    private static let launcherTag = "kubevirt.virt-launcher"
    private static let machineTag = "kubevirt.qemu"

    /// The sources of one VM.
    static func definitions(of vm: NodePods.VM) -> [SourceDefinition] {
        let name = vm.identity.directoryName
        var sources: [SourceDefinition] = []
        if !vm.consoles.isEmpty {
            let files = vm.consoles.map { console in
                ConsoleFile(
                    id: console.file.id,
                    path: console.file.path,
                    trustedFolder: console.file.trustedFolder,
                    origin: console.origin,
                    beginsBoot: console.startsVM
                )
            }
            let kind = SourceDefinition.Kind.console(files)
            sources.append(
                SourceDefinition(name: "console of \(name)", kind: kind, tag: "", vm: vm.identity, stream: .console0)
            )
        }
        if let file = vm.launcher {
            sources.append(records(file, .cri, launcherTag, vm.identity, launcherStream))
        }
        if let file = vm.machine {
            sources.append(records(file, .text, machineTag, vm.identity, machineStream))
        }
        return sources
    }

    private static func records(
        _ file: NodePods.File,
        _ format: RecordFormat,
        _ tag: String,
        _ vm: VMIdentity,
        _ stream: StreamName
    ) -> SourceDefinition {
        let kind = SourceDefinition.Kind.files(path: file.path, format, readsFromHead: true)
        var source = SourceDefinition(name: "\(stream) of pod \(file.id)", kind: kind, tag: tag, vm: vm, stream: stream)
        source.vmFields = []
        source.trustedFolder = file.trustedFolder
        return source
    }

    /// What makes fields of virt-launcher's lines: objects in JSON, with their time in `timestamp`.
    static let stages: [PipelineStage] = {
        var parser = ParserFilter(key: "message", format: .json)
        parser.timeKey = Array("timestamp".utf8)
        return [PipelineStage(match: launcherTag, filters: [.parser(parser)])]
    }()
}
