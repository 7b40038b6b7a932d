#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Weakness 22: init containers, probes, hooks and the working directory stayed in clear, and key files were open to
# all.  Here nothing a pod's owner writes about what runs in it is left.  (That it runs so: 43-sealed-pod.)
. "$(dirname "$0")/lib.sh"
. "$SUPPORT/sealed.sh"
need jq

rot_up
say "every place of a pod where something can be written"
python3 - >"$WORK/whole.yaml" <<'EOF'
import yaml
count = 0
def marker():
    global count
    count += 1
    return f"marker-{count:03}"
def execution():
    return {"exec": {"command": ["/bin/" + marker(), marker()]}}
def container(name):
    return {
        "name": name, "image": "app", "command": ["/" + marker()], "args": [marker(), "--x=" + marker()],
        "workingDir": "/srv/" + marker(),
        "env": [{"name": "A", "value": marker()}, {"name": "B", "value": "$(A)" + marker()}],
    }
def main(name):
    probes = {kind: execution() for kind in ("livenessProbe", "readinessProbe", "startupProbe")}
    return container(name) | probes | {"lifecycle": {"postStart": execution(), "preStop": execution()}}
pod = {"initContainers": [container("i1"), container("i2")], "containers": [main("c1"), main("c2")]}
kinds = [("v1", "ReplicationController"), ("apps/v1", "Deployment"), ("apps/v1", "StatefulSet"), ("apps/v1", "DaemonSet"),
         ("apps/v1", "ReplicaSet"), ("batch/v1", "Job")]
documents = [{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod"}, "spec": pod}]
for version, kind in kinds:
    labels = {"app": "x"}
    spec = {"template": {"metadata": {"labels": labels}, "spec": {"initContainers": [container("i1")], "containers": [main("c1")]}}}
    if kind == "Job":
        spec["template"]["spec"]["restartPolicy"] = "Never"
    else:
        spec["selector"] = labels if kind == "ReplicationController" else {"matchLabels": labels}
    if kind == "StatefulSet":
        spec["serviceName"] = "x"
    documents.append({"apiVersion": version, "kind": kind, "metadata": {"name": kind.lower()}, "spec": spec})
cron = {"schedule": "* * * * *", "jobTemplate": {"spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [container("c1")]}}}}}
documents.append({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "cron"}, "spec": cron})
documents.append({"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "stringData": {"k": marker()}}]})
yaml.safe_dump_all(documents, __import__("sys").stdout, sort_keys=False)
EOF
[ "$(grep -c marker- "$WORK/whole.yaml")" -gt 100 ] || fail "the manifest is not what it should be"
inject "$WORK/whole.yaml" "$WORK/sealed.yaml"
expect_no_line "$WORK/sealed.yaml" 'marker-'

say "and it comes back as it was"
seal unseal -f "$WORK/sealed.yaml" >"$WORK/back.yaml"
python3 - "$WORK/whole.yaml" "$WORK/back.yaml" <<'EOF'
import sys, yaml
a, b = (list(yaml.safe_load_all(open(path))) for path in sys.argv[1:])
for one, other in zip(a, b, strict=True):
    if one != other:
        sys.exit(f"{one['kind']} is another:\n{one}\n{other}")
EOF

say "key files are for their owner alone"
mint_sealed "$WORK/eggs/web" shop --peer web --container app
for file in "$WORK/eggs/web" "$WORK/eggs/token-app"; do
	[ "$(stat -c %a "$file")" = 600 ] || fail "$file has mode $(stat -c %a "$file")"
done
