#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What it costs that an application is started by seal-wrap: from exec to the end of a program that does nothing, with
# 50 sealed variables and 20 sealed files and the real sidecar, beside the same program alone.  Prints the median and
# the ninth tenth of ROUNDS (60) of each, in turn.  As root; with SEAL_BUILD as the end-to-end scripts.
. "$(dirname "$0")/../e2e/lib.sh"
. "$SUPPORT/sealed.sh"
need curl

python3 - >"$WORK/plain.yaml" <<'EOF'
import sys, yaml
settings = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "variables"}, "data": {f"v{i:02}": f"value {i}" for i in range(50)}}
files = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "files"}, "data": {f"f{i:02}.conf": f"line {i}\n" * 100 for i in range(20)}}
pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web"}, "spec": {
    "volumes": [{"name": "files", "configMap": {"name": "files"}}],
    "containers": [{"name": "app", "image": "app", "command": ["/bin/true"], "envFrom": [{"configMapRef": {"name": "variables"}}],
                    "volumeMounts": [{"name": "files", "mountPath": "/etc/app"}]}]}}
yaml.safe_dump_all([settings, files, pod], sys.stdout)
EOF
rot_up
mint_sealed "$WORK/eggs/web" shop --peer web --container app
inject "$WORK/plain.yaml" "$WORK/sealed.yaml"
enclave_new web "$WORK/eggs/web" "$WORK/sealed.yaml" web
sidecar_up web "$WORK/sealed.yaml" web
lay_token web "$WORK/eggs/token-app"
on web python3 "$SUPPORT/kubelet.py" run "$WORK/sealed.yaml" web app "$VOLUMES" --time "${ROUNDS:-60}"
