// SPDX-License-Identifier: Apache-2.0

import KubeVirt
import LogModel

// Parsers of what the Kubernetes API sends.
extension FuzzTarget {
    /// The first byte says where the rest is divided.
    static func podLog(_ bytes: [UInt8]) throws {
        let text = Array(bytes.dropFirst())
        let division = Int(bytes.first ?? 0) % (text.count + 1)
        var whole = PodLogText()
        var lines = whole.receive(text)
        lines += whole.finish().map { [$0] } ?? []
        var divided = PodLogText()
        var pieces = divided.receive(text[..<division]) + divided.receive(text[division...])
        pieces += divided.finish().map { [$0] } ?? []
        try require(lines == pieces, "the lines depend on where the text is divided: \(lines), \(pieces)")
        let size = lines.reduce(0) { $0 + $1.text.count }
        try require(size <= text.count, "there is more text than was received")
        // The log's last second again, and then a new line.
        whole.resume()
        _ = whole.receive(text)
        _ = whole.resumeTime
    }

    static func admission(_ bytes: [UInt8]) throws {
        guard let json = try? JSON(parsing: bytes) else {
            return
        }
        let review = try? AdmissionReview(json)
        let pod = review?.object ?? json
        try LauncherPod(pod).map(nodePaths)
        _ = try? SerialDevices(of: pod)
        guard let patch = try? PodPatch(pod, .on, PodPatch.Settings()) else {
            return
        }
        try require(try JSON(parsing: patch.json.bytes) == patch.json, "the patch is not what was written")
        for operation in patch.operations {
            guard case .add(_, let value) = operation else {
                continue
            }
            let container = value.elements?.first ?? value
            let path = container["args"]?.elements?.dropFirst().first?.text ?? ""
            try require(!path.contains(".."), "the log's path leaves its folder: \(path)")
        }
        if let review {
            let answer = review.answer(patch)
            try require(answer["response"]?["allowed"]?.bool == true, "a pod was refused")
        }
    }

    /// No name in a pod leads out of the folders of pods and logs.
    private static func nodePaths(_ pod: LauncherPod) throws {
        var node = NodePods(NodeFolders(pods: "/pods", logs: "/logs"), awaitsAPI: true) { _ in false }
        node.apply(.pods([pod]), at: 0)
        for vm in node.vms {
            let files = vm.consoles.map(\.file) + [vm.launcher, vm.machine].compactMap { $0 }
            for path in files.map(\.path) {
                let isBelow = path.hasPrefix("/pods/") || path.hasPrefix("/logs/")
                try require(isBelow && !path.contains("/../"), "the path leaves its folder: \(path)")
            }
        }
    }
}
