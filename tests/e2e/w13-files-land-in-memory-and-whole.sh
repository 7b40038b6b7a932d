#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Weakness 13: files were written through links, failures to decrypt were passed over, and a megabyte was the end.
# Here they land in memory, beneath their directory, all of a version or none.  (The writer alone: unit tests.)
. "$(dirname "$0")/lib.sh"
. "$SUPPORT/sealed.sh"
need curl
small_up
small_starts "the control"

say "a place that is not memory is refused"
python3 - "$WORK/sealed.yaml" >"$WORK/disk.yaml" <<'EOF'
import sys, yaml
documents = list(yaml.safe_load_all(open(sys.argv[1])))
for document in documents:
    if document["kind"] == "Pod":
        for volume in document["spec"]["volumes"]:
            if volume["name"].startswith("seal-files"):
                volume["name"] = "disk-" + volume["name"]
                volume["emptyDir"] = {}
        for container in document["spec"]["containers"]:
            for mount in container.get("volumeMounts") or []:
                if mount["name"].startswith("seal-files"):
                    mount["name"] = "disk-" + mount["name"]
yaml.safe_dump_all(documents, sys.stdout, sort_keys=False)
EOF
small_refused "a folder of the disk" 'memory|tmpfs' "$WORK/disk.yaml"
! grep -rlaE 'marker-(one|two)' "$(pod_written web)$VOLUMES"/disk-* 2>/dev/null || fail "it is on the disk"

say "what the host planted there does not lead outside"
files=$(on web sh -c "echo $VOLUMES/seal-files-*" | awk '{ print $1 }')
on web mkdir -p /planted
on web sh -c "rm -rf $files/* $files/..*; ln -s /planted $files/..data_tmp; ln -s /planted/one $files/one; ln -s /planted $files/..data" 2>/dev/null || true
small_run
[ -z "$(on web find /planted -type f)" ] || fail "written through a link"

say "one value that does not open, and none is written"
on web sh -c "rm -rf $files/* $files/..*" 2>/dev/null || true
tamper flip ConfigMap/settings/two 40
small_refused "half a ConfigMap" 'sealed value' "$WORK/tampered.yaml"
[ -z "$(on web find "$files" -type f)" ] || fail "a part of the files was written"

say "a value of the largest size arrives whole"
python3 - "$WORK/plain.yaml" >"$WORK/large.yaml" <<'EOF'
import sys, yaml
documents = list(yaml.safe_load_all(open(sys.argv[1])))
documents[0]["data"]["one"] = "x" * 700000 + "\n"
del documents[2]["spec"]["containers"][0]["envFrom"]  # as a variable it would be longer than the kernel takes
yaml.safe_dump_all(documents, sys.stdout, sort_keys=False)
EOF
inject "$WORK/large.yaml" "$WORK/large-sealed.yaml"
stop proxy-web
lay_sidecar_egg web "$WORK/eggs/web"
sidecar_up web "$WORK/large-sealed.yaml" web
small_starts "the large one" "$WORK/large-sealed.yaml"
[ "$(stat -c %s "$SCRATCH/one")" = 700001 ] || fail "it has $(stat -c %s "$SCRATCH/one") bytes"

say "and what is too large is refused where it is sealed"
python3 -c 'print("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: huge}\ndata: {k: " + "x" * 1100000 + "}")' >"$WORK/huge.yaml"
expect_exit 1 inject "$WORK/huge.yaml" "$WORK/huge-sealed.yaml"
expect_line "$WORK/err" '1048576|1 MiB'
[ ! -e "$WORK/huge-sealed.yaml" ] || fail "an output in spite of an error"
