// SPDX-License-Identifier: Apache-2.0

import Glibc
public import KubeVirt
import SystemIO

/// The VMs of a Kubernetes node whose logs are read.
public struct NodeSettings: Hashable, Sendable {
    public var folders = NodeFolders()
    /// The node's name; nil: the Kubernetes API is not asked.
    public var node: String?
    /// kubectl's configuration file; nil: the usual ones, or the pod's service account.
    public var kubeconfig: String?
    /// Whether VMs that do not set `logSerialConsole` are logged.
    public var clusterDefault = true

    public init() {}
}

// The section `kubevirt`.
extension NodeSettings {
    /// Reads the section. Without it nothing of KubeVirt is read.
    init?(_ section: ConfigurationReader, isPresent: Bool) throws(ConfigurationError) {
        try section.allow(["pods", "pod-logs", "node", "kubeconfig", "cluster-default"])
        guard isPresent else {
            return nil
        }
        folders.pods = DirectoryHandle.normalized(try section.absolutePath("pods") ?? folders.pods)
        if try section.text("pod-logs") == "none" {
            folders.logs = nil
        } else {
            folders.logs = DirectoryHandle.normalized(try section.absolutePath("pod-logs") ?? NodeFolders.defaultLogs)
        }
        node = try section.text("node") ?? Environment["NODE_NAME"]
        if node == "none" || node?.isEmpty == true {
            node = nil
        }
        kubeconfig = try section.absolutePath("kubeconfig")
        if try section.text("node") == "none" {
            try section.refuse(["kubeconfig"]) { _ in "has no effect with node: none: remove one" }
        }
        switch try section.text("cluster-default") {
        case nil, "on"?, "true"?: break
        case "off"?, "false"?: clusterDefault = false
        case let word?: throw section.error(at: "cluster-default", "cluster-default: use on or off, not \(word)")
        }
    }

    /// The settings, for display.
    var settings: [(name: String, value: String)] {
        [
            ("kubevirt.pods", folders.pods), ("kubevirt.pod-logs", folders.logs ?? "none"),
            ("kubevirt.node", node ?? "none"), ("kubevirt.cluster-default", clusterDefault ? "on" : "off"),
        ]
    }
}
