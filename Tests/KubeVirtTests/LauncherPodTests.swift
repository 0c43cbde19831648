// SPDX-License-Identifier: Apache-2.0

import LogModel
import TestTraits
import Testing

@testable import KubeVirt

@Suite("virt-launcher pods", .blocking)
struct LauncherPodTests {
    @Test("the VM's name is that of the annotation, which is not cut like a label")
    func longName() throws {
        let name = String(repeating: "n", count: 80)
        let text = String(decoding: Objects.pod().bytes, as: UTF8.self)
            .replacing(#""kubevirt.io/domain":"testvm""#, with: #""kubevirt.io/domain":"\#(name)""#)
        let pod = try #require(LauncherPod(Objects.parse(text)))
        #expect(pod.vm == name && pod.instance == Objects.uid && pod.namespace == "simone")
    }

    @Test("another pod is none")
    func others() {
        #expect(LauncherPod(.object([])) == nil)
        #expect(LauncherPod(Objects.parse(#"{"metadata":{"labels":{"kubevirt.io":"virt-handler"}}}"#)) == nil)
    }

    @Test(
        "the state of the log is that of the container, among init containers or others",
        arguments: [
            (#""status":{}"#, LauncherPod.LogState.waiting),
            (#""status":{"initContainerStatuses":[{"name":"guest-console-log","state":{"running":{}}}]}"#, .running),
            (#""status":{"containerStatuses":[{"name":"guest-console-log","state":{"terminated":{}}}]}"#, .ended),
            (#""status":{"containerStatuses":[{"name":"guest-console-log","state":{"waiting":{}}}]}"#, .waiting),
        ]
    )
    func logState(status: String, expected: LauncherPod.LogState) throws {
        let pod = Objects.pod(containers: Objects.compute + #",{"name":"guest-console-log"}"#)
        let text = String(decoding: pod.bytes, as: UTF8.self)
        let whole = Objects.parse(String(text.dropLast()) + "," + status + "}")
        #expect(try #require(LauncherPod(whole)).log == expected)
        #expect(try #require(LauncherPod(Objects.pod())).log == .absent)
    }

    @Test("pods are grouped by VM, of each the newest instance's in the order of their creation")
    func grouping() {
        let old = Objects.launcher("old", instance: "1", created: "2026-08-01T08:00:00Z")
        let source = Objects.launcher("source", instance: "2", created: "2026-08-01T10:00:00Z")
        let target = Objects.launcher("target", instance: "2", created: "2026-08-01T11:00:00Z", log: .absent)
        let other = Objects.launcher("other", vm: "a", instance: "3", created: "2026-08-01T09:00:00Z")
        let targets = LogTarget.grouped([target, other, old, source])
        #expect(targets.map(\.vm) == ["a", "testvm"])
        #expect(targets[1].pods == [source, target] && targets[1].logged == [source])
        #expect(LogTarget.grouped([target, old, source], instance: "1")[0].pods == [old])
    }
}
