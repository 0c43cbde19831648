// SPDX-License-Identifier: Apache-2.0

import LogModel
import Testing

@testable import KubeVirt

@Suite struct NodePodsTests {
    private static let pod = "11111111-fe55-4f63-919a-807b59efff76"
    private static let next = "22222222-fe55-4f63-919a-807b59efff76"
    private static let instance = "bf9afcc1-fe55-4f63-919a-807b59efff76"
    private static let later = "cf9afcc1-fe55-4f63-919a-807b59efff76"
    private static let folders = NodeFolders(pods: "/pods", logs: "/logs")

    private func state(awaitsAPI: Bool = true, stored: Set<String> = []) -> NodePods {
        NodePods(Self.folders, awaitsAPI: awaitsAPI, node: "n1") { stored.contains($0) }
    }

    private func folder(_ pod: String = pod, _ instance: String = instance, created: Int = 1) -> NodePods.Event {
        .folder(pod: pod, instances: [instance], created: created)
    }

    private func launcher(
        _ uid: String = pod,
        of vm: String = "web",
        instance: String = instance,
        isTarget: Bool = false,
        container: Bool = true,
        phase: String = "Running"
    ) -> LauncherPod {
        let label = isTarget ? #","kubevirt.io/migrationJobUID":"x""# : ""
        let text = """
            {"metadata":{"name":"virt-launcher-\(vm)-abcde","namespace":"simone","uid":"\(uid)",
              "labels":{"kubevirt.io":"virt-launcher","kubevirt.io/created-by":"\(instance)"\(label)},
              "annotations":{"kubevirt.io/domain":"\(vm)"}},
             "spec":{"containers":[{"name":"compute"}\(container ? #",{"name":"guest-console-log"}"# : "")]},
             "status":{"phase":"\(phase)"}}
            """
        return (try? JSON(parsing: Array(text.utf8))).flatMap(LauncherPod.init)!
    }

    @Test("a VM is named by the API, and has its console, virt-launcher's log and QEMU's")
    func named() {
        var state = state()
        state.apply(folder(), at: 0)
        #expect(state.vms.isEmpty)
        state.apply(.pods([launcher()]), at: 1)
        let vm = state.vms.first
        #expect(state.vms.count == 1 && vm?.identity == VMIdentity(name: "web", namespace: "simone"))
        let volume = "/pods/\(Self.pod)/volumes/kubernetes.io~empty-dir/private"
        #expect(vm?.consoles.first?.file.path == "\(volume)/\(Self.instance)/virt-serial0-log")
        #expect(vm?.consoles.first?.file.trustedFolder == volume)
        #expect(vm?.consoles.first?.origin == "virt-launcher-web-abcde on n1" && vm?.consoles.first?.startsVM == true)
        #expect(vm?.launcher?.path == "/logs/simone_virt-launcher-web-abcde_\(Self.pod)/compute/0.log")
        #expect(vm?.machine?.path == "\(volume)/libvirt/qemu/log/simone_web.log")
    }

    @Test("without the API a VM is named by its pod's log folder")
    func namedByLogs() {
        var state = state(awaitsAPI: false)
        state.apply(.logFolder(PodLogFolder(name: "simone_virt-launcher-my-web-abcde_\(Self.pod)")!), at: 0)
        state.apply(folder(), at: 0)
        #expect(state.vms.map(\.identity) == [VMIdentity(name: "my-web", namespace: "simone")])
    }

    @Test("nothing is kept of a pod that is gone, in whatever order its folders go")
    func forgotten() {
        let logs = PodLogFolder(name: "simone_virt-launcher-web-abcde_\(Self.pod)")!
        let gone: [NodePods.Event] = [.folderGone(pod: Self.pod), .logFolderGone(pod: Self.pod), .pods([])]
        for order in [[0, 1, 2], [1, 0, 2], [2, 0, 1], [2, 1, 0], [0, 2, 1], [1, 2, 0]] {
            var state = state()
            for event in [.logFolder(logs), folder(), .pods([launcher()])] + order.map({ gone[$0] }) {
                state.apply(event, at: 0)
            }
            #expect(state.entries.isEmpty, "\(order)")
        }
    }

    @Test("while the API does not answer, a VM without a name waits, and then goes under its UID until it has one")
    func unnamed() {
        var state = state()
        state.apply(folder(), at: 5)
        #expect(state.vms.isEmpty && state.deadline == 5 + NodePods.nameTimeout)
        state.expire(at: 5 + NodePods.nameTimeout)
        #expect(state.vms.map(\.identity) == [VMIdentity(name: Self.instance, uuid: Self.instance)])
        #expect(state.deadline == nil)
        state.apply(.pods([launcher()]), at: 100)
        #expect(
            state.vms.map(\.identity) == [VMIdentity(name: "web", uuid: Self.instance, namespace: "simone")]
        )
    }

    @Test("a VM whose log is under its UID stays there after a restart")
    func stored() {
        var state = state(stored: [Self.instance])
        state.apply(folder(), at: 0)
        state.apply(.pods([launcher()]), at: 0)
        #expect(state.vms.first?.identity.uuid == Self.instance)
    }

    @Test("a VM that the API has named has its log under that name after a restart without the API")
    func remembered() {
        var state = state()
        state.apply(folder(), at: 0)
        state.apply(.pods([launcher()]), at: 0)
        let named = state.named
        #expect(named == [Self.pod: VMIdentity(name: "web", namespace: "simone")])
        var restarted = NodePods(Self.folders, awaitsAPI: true, named: named) { _ in false }
        restarted.apply(folder(), at: 0)
        // A pod can name a folder in its volume as the instance of another.
        restarted.apply(folder(Self.next), at: 0)
        #expect(restarted.vms.map(\.identity) == [VMIdentity(name: "web", namespace: "simone")])
        #expect(restarted.vms[0].consoles.map(\.file.id) == [Self.pod + "/" + Self.instance])
        restarted.apply(.folderGone(pod: Self.pod), at: 0)
        #expect(restarted.named.isEmpty)
        var late = NodePods(Self.folders, awaitsAPI: true, named: named) { _ in false }
        late.apply(.pods([]), at: 0)
        #expect(late.named.isEmpty)
    }

    @Test("what the API does not have is no VM, whatever its volume contains")
    func otherPods() {
        var state = state()
        state.apply(.pods([]), at: 0)
        state.apply(folder(), at: 0)
        state.expire(at: 1 << 40)
        #expect(state.vms.isEmpty && state.deadline == nil)
    }

    @Test("the next run of a VM follows the one before in the same log, the oldest pod first")
    func restarted() {
        var state = state()
        state.apply(folder(created: 10), at: 0)
        state.apply(.pods([launcher()]), at: 0)
        let pods = [launcher(), launcher(Self.next, instance: Self.later)]
        state.apply(.pods(pods), at: 0)
        state.apply(folder(Self.next, Self.later, created: 20), at: 0)
        #expect(state.vms.count == 1)
        #expect(state.vms[0].consoles.map(\.file.id) == [Self.pod + "/" + Self.instance, Self.next + "/" + Self.later])
        #expect(state.vms[0].launcher?.id == Self.next)
        state.apply(.folderGone(pod: Self.pod), at: 0)
        #expect(state.vms[0].consoles.map(\.file.id) == [Self.next + "/" + Self.later])
        state.apply(.pods([]), at: 0)
        #expect(state.vms.count == 1, "the folder is still there")
        state.apply(.folderGone(pod: Self.next), at: 0)
        #expect(state.vms.isEmpty)
    }

    @Test("the target of a live migration does not start the VM")
    func migrated() {
        var state = state()
        state.apply(.pods([launcher(isTarget: true)]), at: 0)
        #expect(state.vms.first?.consoles.first?.startsVM == false)
    }

    @Test("no part of a path comes from a label or an annotation that is not what it must be")
    func hostile() {
        var state = state()
        state.apply(.pods([launcher(instance: "../../../etc")]), at: 0)
        #expect(state.vms.isEmpty)
        state.apply(.pods([launcher(Self.next, of: "a/../b")]), at: 0)
        #expect(state.vms.allSatisfy { !($0.machine?.path ?? "").contains("..") })
        state.apply(.folder(pod: Self.pod, instances: ["..", "x", ""], created: 0), at: 0)
        state.expire(at: 1 << 40)
        #expect(state.vms.isEmpty)
    }

    @Test(
        "a log folder's name has a namespace, a pod of virt-launcher and its UID; a shortened pod's name names no VM",
        arguments: [
            ("a_virt-launcher-web-abcde_\(pod)", "web"), ("a_virt-launcher-web-2-abcde_\(pod)", "web-2"),
            ("a_virt-launcher-\(String(repeating: "n", count: 43))-abcde_\(pod)", nil),
            ("a_virt-launcher-\(String(repeating: "n", count: 42))-abcde_\(pod)", String(repeating: "n", count: 42)),
            ("a_virt-launcher-abcde_\(pod)", nil), ("a_virt-launcher-_\(pod)", nil),
            ("a_virt-launcher-web-abc_\(pod)", nil),
        ] as [(String, String?)]
    )
    func logFolders(name: String, vm: String?) {
        #expect(PodLogFolder(name: name)?.vm == vm)
        #expect(PodLogFolder(name: name)?.name == name)
    }

    @Test("other log folders are none of virt-launcher")
    func otherLogFolders() {
        for name in [
            "", "a", "a_b_c", "a_virt-launcher-web-abcde_x", "_virt-launcher-w-abcde_\(Self.pod)",
            "a_nginx_\(Self.pod)",
        ] {
            #expect(PodLogFolder(name: name) == nil, "\(name)")
        }
    }

    // MARK: - Reports

    @Test("a pod without the container is reported when its VM is to be logged, and only then")
    func unlogged() {
        var pods = UnloggedPods()
        let without = launcher(container: false)
        #expect(
            pods.apply([launcher(Self.next), without, launcher("x", container: false, phase: "Failed")]) == [without]
        )
        #expect(pods.reports.isEmpty)
        pods.apply(SerialDevices(), of: Self.pod)
        #expect(pods.reports.map(\.pod) == ["simone/virt-launcher-web-abcde"])
        #expect(pods.reports.first?.problem.contains("caBundle") == true)
        #expect(pods.apply([without]).isEmpty && pods.reports.count == 1, "it is not looked up again")
        pods.apply(SerialDevices(isLogged: false), of: Self.pod)
        #expect(pods.reports.isEmpty)
        var off = UnloggedPods(clusterDefault: false)
        _ = off.apply([without])
        off.apply(SerialDevices(), of: Self.pod)
        #expect(off.reports.isEmpty)
        #expect(pods.apply([]).isEmpty)
    }
}
