#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# From a plain manifest to an application that starts inside the enclave: an ordinary egg, a sealed ConfigMap and
# Secret, variables, arguments, files, an init container, a probe, a hook, a mount of one file; then an update, an
# older version, a host that adds, swaps and changes, and a search for every planted secret.
. "$(dirname "$0")/lib.sh"
. "$SUPPORT/sealed.sh"
need curl openssl

rot_up
seal peer allow shop any web >/dev/null

cat >"$WORK/app.yaml" <<'EOF'
apiVersion: v1
kind: ConfigMap
metadata:
  name: settings
data:
  greeting: marker-greeting
  page.txt: |
    marker-page-one
  MODE: marker-mode
---
apiVersion: v1
kind: Secret
metadata:
  name: credentials
type: Opaque
stringData:
  password: marker-password
data:
  binary: AAEC/21hcmtlci1iaW5hcnk=
---
apiVersion: v1
kind: Pod
metadata:
  name: web
  annotations:
    seal-control.io/inbound: "8443=8080"
spec:
  volumes:
  - name: settings
    configMap:
      name: settings
      items:
      - key: page.txt
        path: pages/page.txt
  - name: all
    configMap:
      name: settings
  - name: secrets
    secret:
      secretName: credentials
  - name: scratch
    emptyDir: {}
  initContainers:
  - name: prepare
    image: app
    command: ["/bin/sh", "-c", "echo prepared by $WHO >/scratch/prepared"]
    env:
    - name: WHO
      value: marker-init
    volumeMounts:
    - {name: scratch, mountPath: /scratch}
  containers:
  - name: app
    image: app
    command: ["/bin/sh", "-c"]
    args:
    - |
      env >/scratch/env
      printf '%s\n' "$0" "$1" >/scratch/args
      pwd >/scratch/cwd
      cp /etc/app/pages/page.txt /scratch/page
      cp /etc/secret/binary /scratch/binary
      cp /etc/one/page.txt /scratch/one
      ls -la /etc/app /etc/secret >/scratch/listing
      exec python3 -m http.server --bind 127.0.0.1 --directory /etc/app/pages 8080
    - marker-arg
    - "$(GREETING)-$(PLAIN)-$$(PLAIN)-$(NOPE)"
    workingDir: /tmp
    env:
    - {name: PLAIN, value: marker-plain}
    - {name: DERIVED, value: "<$(PLAIN)>"}
    - name: GREETING
      valueFrom: {configMapKeyRef: {name: settings, key: greeting}}
    - name: PASSWORD
      valueFrom: {secretKeyRef: {name: credentials, key: password}}
    - name: NOTHING
      valueFrom: {secretKeyRef: {name: credentials, key: absent, optional: true}}
    - name: POD_NAME
      valueFrom: {fieldRef: {fieldPath: metadata.name}}
    envFrom:
    - prefix: S_
      configMapRef: {name: settings}
    livenessProbe:
      exec: {command: ["/bin/sh", "-c", "test -e /scratch/env && echo marker-probe $PLAIN >/scratch/probed"]}
    lifecycle:
      preStop:
        exec: {command: ["/bin/sh", "-c", "echo marker-hook >/scratch/hooked"]}
    volumeMounts:
    - {name: settings, mountPath: /etc/app}
    - {name: secrets, mountPath: /etc/secret/}
    - {name: scratch, mountPath: /scratch}
    - {name: all, mountPath: /etc/one/page.txt, subPath: page.txt}
EOF
MARKERS=(marker-greeting marker-page-one marker-mode marker-password marker-binary marker-init marker-arg marker-plain
	marker-probe marker-hook bWFya2VyL marker-page-two)

say "the manifest that leaves the house says nothing"
mint_sealed "$WORK/eggs/web" shop --peer web --container app --container prepare --max-hatches 4
inject "$WORK/app.yaml" "$WORK/sealed.yaml"
for marker in "${MARKERS[@]}"; do
	expect_no_line "$WORK/sealed.yaml" "$marker"
done
cp "$WORK/sealed.yaml" "$WORK/first.yaml"
inject "$WORK/sealed.yaml" "$WORK/again.yaml" 2>"$WORK/said"
expect_same "$WORK/sealed.yaml" "$WORK/again.yaml"

say "the application starts with all of it"
enclave_new web "$WORK/eggs/web" "$WORK/sealed.yaml" web
sidecar_up web "$WORK/sealed.yaml" web
SCRATCH=$(pod_path web "$VOLUMES/scratch")
for init in $(python3 -c 'import sys, yaml
for d in yaml.safe_load_all(open(sys.argv[1])):
    if d["kind"] == "Pod":
        print(*[c["name"] for c in d["spec"]["initContainers"] if c["name"].startswith("seal-place")])' "$WORK/sealed.yaml"); do
	container_run web "$WORK/eggs/token-app" "$WORK/sealed.yaml" web "$init"
	[ "$STATUS" = 0 ] || fail "$init ended with $STATUS"
done
container_run web "$WORK/eggs/token-prepare" "$WORK/sealed.yaml" web prepare
[ "$STATUS" = 0 ] || fail "the init container ended with $STATUS"
expect_line "$SCRATCH/prepared" '^prepared by marker-init$'
container_start web "$WORK/eggs/token-app" "$WORK/sealed.yaml" web app
wait_for 30 "the application" is_listening web 8080
for wanted in PLAIN=marker-plain 'DERIVED=<marker-plain>' GREETING=marker-greeting PASSWORD=marker-password POD_NAME=web \
	S_greeting=marker-greeting S_MODE=marker-mode; do
	expect_line "$SCRATCH/env" "^$wanted\$"
done
expect_no_line "$SCRATCH/env" '^(SEAL_|KUBERNETES_|NOTHING)'
printf '%s\n' marker-arg 'marker-greeting-marker-plain-$(PLAIN)-$(NOPE)' >"$WORK/wanted"
expect_same "$WORK/wanted" "$SCRATCH/args"
expect_line "$SCRATCH/cwd" '^/tmp$'
expect_line "$SCRATCH/page" '^marker-page-one$'
expect_line "$SCRATCH/one" '^marker-page-one$'
printf '\000\001\002\377marker-binary' | cmp - "$SCRATCH/binary" || fail "the binary value is another"
expect_line "$SCRATCH/listing" '\.\.data -> '
modes=$(on web sh -c "find $VOLUMES/seal-files-* -type f -printf '%m\n'" | sort -u)
[ "$modes" = 400 ] || fail "unsealed files have modes $modes"

say "and is reached through its sealed listener"
seal cert issue shop --peer any --hostname client.seal.test -o "$WORK/client" >/dev/null
fetch() {
	on home curl -s --max-time 10 --cacert "$WORK/client/ca.pem" --cert "$WORK/client/cert.pem" --key "$WORK/client/key.pem" \
		--connect-to "web:8443:web:8443" "https://web:8443/$1"
}
[ "$(fetch page.txt)" = marker-page-one ] || fail "through the proxy: $(fetch page.txt)"

say "probes and hooks run as they were written"
lay_token web "$WORK/eggs/token-app"
probe() { on web python3 "$SUPPORT/kubelet.py" run "${2:-$WORK/sealed.yaml}" web app "$VOLUMES" --probe "$1"; }
expect_exit 0 probe livenessProbe
expect_line "$SCRATCH/probed" '^marker-probe marker-plain$'
expect_exit 0 probe preStop
expect_line "$SCRATCH/hooked" '^marker-hook$'

say "an update reaches the files without a restart"
sed 's/marker-page-one/marker-page-two/' "$WORK/app.yaml" | python3 -c 'import sys
print("---".join(sys.stdin.read().split("---")[:1]))' >"$WORK/update.yaml"
inject "$WORK/update.yaml" "$WORK/update-sealed.yaml"
python3 - "$WORK/sealed.yaml" "$WORK/update-sealed.yaml" >"$WORK/second.yaml" <<'EOF'
import sys, yaml
documents = list(yaml.safe_load_all(open(sys.argv[1])))
documents[0] = next(yaml.safe_load_all(open(sys.argv[2])))
yaml.safe_dump_all(documents, sys.stdout)
EOF
volumes web "$WORK/second.yaml" web
is_page() { [ "$(fetch page.txt)" = "$1" ]; }
wait_for 10 "the new page" is_page marker-page-two

say "an older version is refused, reported, and changes nothing"
volumes web "$WORK/sealed.yaml" web
wait_for 10 "a report" has_line "$LOGS/app-web.log" 'older'
[ "$(fetch page.txt)" = marker-page-two ] || fail "the older page came back"
is_alive app-web || fail "the application ended"
volumes web "$WORK/second.yaml" web

say "none of the secrets is in a log, an argument, a core file or on disk"
expect_hidden "${MARKERS[@]}"
python3 - "${PIDS[proxy-web]}" "${PIDS[app-web]}" "${MARKERS[@]}" <<'EOF'
import pathlib, sys
pids, markers = sys.argv[1:3], [m.encode() for m in sys.argv[3:]]
for pid in pids:
    for name in ("cmdline", "environ"):
        text = pathlib.Path("/proc", pid, name).read_bytes()
        for marker in markers:
            if marker in text:
                sys.exit(f"{marker} is in {name} of {pid}")
EOF
written=$(pod_written web)
[ -d "$written" ] || fail "no folder of what the pod wrote"
! grep -rlaE 'marker-(password|page|binary|mode)' "$written/etc" "$written/run" 2>/dev/null || fail "it is on the pod's disk"

say "end: the exit code is the application's, and the signal reached it"
kill -TERM "${PIDS[app-web]}"
wait_exit 20 app-web
[ "$STATUS" = 143 ] || fail "the application's container ended with $STATUS"

say "an older manifest does not start any more"
stop proxy-web
lay_sidecar_egg web "$WORK/eggs/web"
inject "$WORK/app.yaml" "$WORK/newer.yaml"
sidecar_start web "$WORK/first.yaml" web
wait_for 30 "the sidecar to refuse" is_gone proxy-web
expect_line "$LOGS/proxy-web.log" 'older'
STATUS=0
wait "${PIDS[proxy-web]}" || STATUS=$?
unset 'PIDS[proxy-web]'
[ "$STATUS" = 1 ] || fail "the sidecar ended with $STATUS"
