// SPDX-License-Identifier: Apache-2.0

import LogModel
import LogStore
import SystemIO

/// The file with the names that the API has given to the VMs of this node's pods: after a restart it may be away.
struct NodeNames {
    private let folder: String
    private let fileSystem: any FileSystem

    private static let name = "kubevirt-pods.json"

    /// The file in `store`.
    init(_ store: Store) {
        folder = store.root + "/sources"
        fileSystem = store.fileSystem
    }

    /// The VMs by the UIDs of their pods; none when there is no file, or it is damaged.
    func load() -> [String: VMIdentity] {
        guard let bytes = try? fileSystem.contents(of: folder + "/" + Self.name),
            case .object(let members)? = try? JSON(parsing: bytes)
        else {
            return [:]
        }
        var named: [String: VMIdentity] = [:]
        for (pod, value) in members {
            if let namespace = value["namespace"]?.text, let name = value["name"]?.text,
                VMIdentity.fault(inName: namespace) == nil, VMIdentity.fault(inName: name) == nil
            {
                named[pod] = VMIdentity(name: name, namespace: namespace)
            }
        }
        return named
    }

    /// Does not wait for the disk: a file that a crash of the host has damaged costs names until the API answers.
    func save(_ named: [String: VMIdentity]) throws(SystemError) {
        let members = named.sorted { $0.key < $1.key }.map { pod, vm -> (String, JSON) in
            (pod, .object([("namespace", .string(vm.namespace ?? "")), ("name", .string(vm.name))]))
        }
        try fileSystem.makeDirectories(folder)
        try fileSystem.replace(Self.name, in: folder, with: JSON.object(members).bytes, isDurable: false)
    }
}
