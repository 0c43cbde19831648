#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""kubernetes_checks.py apply POD PATCH | manifests FILE: checks by libraries that are not Guestlog's.

apply      prints the pod after the patch, applied by the library jsonpatch
manifests  checks rules that no schema has; prints what does not hold, and fails then
"""

import json
import pathlib
import sys

import celpy
import jsonpatch
import yaml

problems = []


def require(holds, what):
    if not holds:
        problems.append(what)


def check_webhook(configuration):
    for webhook in configuration["webhooks"]:
        require(webhook["failurePolicy"] == "Ignore", "a webhook that fails keeps pods from being created")
        require(webhook["timeoutSeconds"] <= 2, "a webhook that hangs delays pods by more than 2 s")
        require(webhook["objectSelector"] == {"matchLabels": {"kubevirt.io": "virt-launcher"}}, "other pods are sent")
        require(webhook["sideEffects"] == "None", "dry runs are refused")
        expressions = webhook["namespaceSelector"]["matchExpressions"]
        excluded = [value for e in expressions if e["operator"] == "NotIn" for value in e["values"]]
        require({"kube-system", "guestlog"} <= set(excluded), "pods of the webhook's own namespace are sent")
        require(webhook["matchConditions"], "pods without a console are sent")
        require(webhook["clientConfig"].get("caBundle"), "the CA is not set")
        check_conditions(webhook["matchConditions"])


# A virt-launcher pod, as far as conditions look at it.
LAUNCHER = {
    "metadata": {"labels": {"kubevirt.io": "virt-launcher", "kubevirt.io/created-by": "u"}},
    "spec": {"containers": [{"name": "compute"}], "volumes": [{"name": "private"}]},
}


def value_of(expression, **members):
    environment = celpy.Environment()
    program = environment.program(environment.compile(expression))
    return program.evaluate({name: celpy.json_to_cel(value) for name, value in members.items()})


def check_conditions(conditions):
    """Conditions hold for a virt-launcher pod, and not all of them for one without volumes."""
    bare = {**LAUNCHER, "spec": {"containers": []}}
    require(all(value_of(c["expression"], object=LAUNCHER) for c in conditions), "a condition excludes VMs")
    require(not all(value_of(c["expression"], object=bare) for c in conditions), "the conditions exclude nothing")


def check_policy(policy):
    """The conditions and variables: what cel-python knows of a policy. Patches it does not know."""
    check_conditions(policy["spec"]["matchConditions"])
    require(policy["spec"]["failurePolicy"] == "Ignore", "a policy that fails keeps pods from being created")
    values = {v["name"]: value_of(v["expression"], object=LAUNCHER) for v in policy["spec"]["variables"]}
    require(values["wish"] == "" and values["sidecars"] == [] and values["containers"] == ["compute"], "variables")
    require(values["log"] == "/var/run/kubevirt-private/u/virt-serial0-log", "the log has another path")
    wish = next(v["expression"] for v in policy["spec"]["variables"] if v["name"] == "wish")
    marked = {"metadata": {**LAUNCHER["metadata"], "annotations": {"guestlog/log-serial-console": "false"}}}
    require(value_of(wish, object=marked) == "false", "the annotation is not read")
    guaranteed = next(v["expression"] for v in policy["spec"]["variables"] if v["name"] == "guaranteed")
    limits = {"cpu": "2", "memory": "1Gi"}
    for resources, holds in [
        ({"limits": limits}, True),
        ({"limits": limits, "requests": limits}, True),
        ({"limits": limits, "requests": {"cpu": "1"}}, False),
        ({"limits": {"cpu": "2"}}, False),
        ({"requests": limits}, False),
    ]:
        pod = {"spec": {"containers": [{"name": "compute", "resources": resources}]}}
        require(value_of(guaranteed, object=pod) == holds, f"{resources}: the QoS class Guaranteed is not recognized")


def check_pod(name, pod):
    require(pod["securityContext"]["runAsNonRoot"], f"{name} may run as root")
    check_containers(name, pod)


def check_node_pod(name, pod):
    """A daemon that reads files of other users, and can change nothing but its own."""
    require(pod["securityContext"]["seLinuxOptions"]["type"] == "container_logreader_t", f"{name}: SELinux")
    require(pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault", f"{name} has no seccomp profile")
    for member in ("hostNetwork", "hostPID", "hostIPC"):
        require(member not in pod, f"{name} has {member}")
    hosts = {volume["name"] for volume in pod["volumes"] if "hostPath" in volume}
    for container in pod["containers"]:
        added = container["securityContext"]["capabilities"].get("add", [])
        require(added == ["DAC_READ_SEARCH"], f"{name} has the capabilities {added}")
        require("privileged" not in container["securityContext"], f"{name} is privileged")
        written = [m["name"] for m in container["volumeMounts"] if m["name"] in hosts and not m.get("readOnly")]
        require(written == ["store"], f"{name} can write to {written} of the node")
    check_containers(name, pod)


def check_containers(name, pod):
    for container in pod["containers"]:
        security = container["securityContext"]
        require(not security["allowPrivilegeEscalation"], f"{name} may gain privileges")
        require(security["readOnlyRootFilesystem"], f"{name} can write to its image")
        require(security["capabilities"]["drop"] == ["ALL"], f"{name} has capabilities")
        require("memory" in container["resources"]["limits"], f"{name} has no memory limit")
        for mount in container["volumeMounts"]:
            require("subPath" not in mount, f"{name}: a subPath is never renewed")


def check_role(name, role):
    for rule in role["rules"]:
        for words in rule.values():
            require("*" not in words, f"{name} allows everything of a kind")
        require(set(rule["verbs"]) <= {"get", "list", "watch"}, f"{name} allows changes")
        require("secrets" not in rule["resources"], f"{name} allows reading secrets")


def check(objects):
    kinds = {}
    for value in filter(None, objects):
        kinds.setdefault(value["kind"], []).append(value)
    for value in kinds.get("MutatingWebhookConfiguration", []):
        check_webhook(value)
    for value in kinds.get("MutatingAdmissionPolicy", []):
        check_policy(value)
    for value in kinds.get("Deployment", []):
        check_pod(value["metadata"]["name"], value["spec"]["template"]["spec"])
    for value in kinds.get("DaemonSet", []):
        check_node_pod(value["metadata"]["name"], value["spec"]["template"]["spec"])
    for value in kinds.get("ClusterRole", []) + kinds.get("Role", []):
        check_role(value["metadata"]["name"], value)
    for value in kinds["Namespace"]:
        labels = value["metadata"]["labels"]
        require("pod-security.kubernetes.io/enforce" in labels, "the namespace has no pod security level")
    workloads = kinds.get("Deployment", []) + kinds.get("DaemonSet", [])
    require(len(kinds.get("NetworkPolicy", [])) == len(workloads), "a workload has no network policy")


if sys.argv[1] == "apply":
    pod, patch = (json.loads(pathlib.Path(path).read_text()) for path in sys.argv[2:4])
    print(json.dumps(jsonpatch.apply_patch(pod, patch)))
else:
    check(yaml.safe_load_all(pathlib.Path(sys.argv[2]).read_text()))
    print("\n".join(problems), end="")
    sys.exit(1 if problems else 0)
