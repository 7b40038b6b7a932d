# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Sealed pods for end-to-end scripts; sourced after lib.sh.  A pod of lib.sh stands for the enclave: kubelet.py
# makes its volumes and starts its containers from an injected manifest, seal-proxy hatches an ordinary egg, which
# takes its listeners from the sealed value alone.  All containers share the pod's root, so the token of each is
# laid just before it starts.

need python3 jq
python3 -c 'import yaml' 2>/dev/null || { [ "${CI:-}" != true ] || fail "python3-yaml is not installed"; skip "python3-yaml is not installed"; }
[ -x "$SEAL_BUILD/seal-wrap" ] || fail "no seal-wrap in $SEAL_BUILD"

WRAP=/usr/bin/seal-wrap
PROXY=/usr/bin/seal-proxy
VOLUMES=/var/lib/seal-test

# mint_sealed FILE WORKLOAD [OPTION...]: an egg without plain configuration; tokens land beside it.
mint_sealed() {
	local file=$1
	shift
	rm -rf "$(dirname "$file")"
	mkdir -p "$(dirname "$file")"
	seal egg mint "$@" -o "$file" >/dev/null
}

# inject IN OUT [OPTION...]
inject() {
	local in=$1 out=$2
	shift 2
	seal inject --workload shop --peer web --wrap-path "$WRAP" -f "$in" -o "$out" "$@"
}

# lay_sidecar_egg POD FILE: for the sidecar's own user, who is not root in a sealed pod.
lay_sidecar_egg() {
	lay_egg "$1" "$2"
	chown 65532 "$(pod_path "$1" /etc/seal/egg)"
}

# enclave_new POD EGG MANIFEST NAME: the pod's volumes, its egg, seal-wrap in its place.
enclave_new() {
	local pod=$1
	pod_new "$pod"
	! grep -q 'no overlay here' "$LOGS/pod-$pod.log" || skip "containers need a root file system of their own: no overlay here"
	lay_sidecar_egg "$pod" "$2"
	install -D -m 0755 "$SEAL_BUILD/seal-wrap" "$(pod_path "$pod" "$WRAP")"
	install -D -m 0755 "$SEAL_BUILD/seal-proxy" "$(pod_path "$pod" "$PROXY")"
	on "$pod" mkdir -p "$VOLUMES" /run/seal
	volumes "$pod" "$3" "$4"
}

# volumes POD MANIFEST NAME: make them, or bring them up to date.
volumes() { on "$1" python3 "$SUPPORT/kubelet.py" volumes "$2" "$3" "$VOLUMES" || fail "no volumes from $2"; }

# sidecar_start POD MANIFEST NAME [OPTION...]: what the manifest says; does not wait.
sidecar_start() {
	local pod=$1 manifest=$2 name=$3
	shift 3
	# hostile hosts add options of their own
	start "$pod" "proxy-$pod" python3 "$SUPPORT/kubelet.py" run "$manifest" "$name" seal-proxy "$VOLUMES" \
		--program "$PROXY" -- "$@"
}

SEALED_HEALTH=127.0.0.1:15020
is_sealed_ready() { [ "$(on "$1" curl -s -o /dev/null -w '%{http_code}' "http://$SEALED_HEALTH/readyz")" = 200 ]; }
is_sealed_settled() { is_gone "proxy-$1" || is_sealed_ready "$1"; }
sidecar_up() {
	sidecar_start "$@"
	wait_for 30 "the sidecar of $1" is_sealed_settled "$1"
	is_alive "proxy-$1" || fail "the sidecar of $1 ended: $(tail -n 1 "$LOGS/proxy-$1.log")"
}

# lay_token POD TOKEN
lay_token() {
	mkdir -p "$(pod_path "$1" /etc/seal)"
	install -m 0444 "$2" "$(pod_path "$1" /etc/seal/token)"
}

# container_start POD TOKEN MANIFEST NAME CONTAINER [OPTION of kubelet.py...]: in the background, as CONTAINER-POD.
container_start() {
	local pod=$1 token=$2 manifest=$3 name=$4 container=$5
	shift 5
	lay_token "$pod" "$token"
	start "$pod" "$container-$pod" python3 "$SUPPORT/kubelet.py" run "$manifest" "$name" "$container" "$VOLUMES" "$@"
}

# container_run ...: the same, to its end; its exit status in STATUS.
container_run() {
	container_start "$@"
	wait_exit 60 "$5-$1"
}

# Everything a host could look at of the processes started here and of the disk: nothing of the words.
# expect_hidden WORD...
expect_hidden() {
	local word
	for word in "$@"; do
		! grep -raqF -- "$word" "$LOGS" || fail "'$word' is in the logs: $(grep -ralF -- "$word" "$LOGS" | head -n 3 | tr '\n' ' ')"
	done
}

# ---- a small pod that shows what it was given, for scripts that change one thing at a time ----

# small_manifest: containers app and other, a ConfigMap as files and variables, a Secret.
small_manifest() {
	cat <<'EOF'
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {one: "marker-one\n", two: "marker-two\n"}
---
apiVersion: v1
kind: Secret
metadata: {name: settings}
stringData: {one: marker-secret}
---
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  volumes:
  - {name: settings, configMap: {name: settings}}
  - {name: scratch, emptyDir: {}}
  containers:
  - name: app
    image: app
    command: ["/bin/sh", "-c", "env >/scratch/env; cp /etc/app/one /scratch/one; cp /etc/app/two /scratch/two; echo \"$@\" >/scratch/args", "app", "marker-arg"]
    env:
    - {name: PLAIN, value: marker-plain}
    - {name: SECRET, valueFrom: {secretKeyRef: {name: settings, key: one}}}
    - {name: HOSTED, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
    envFrom: [{configMapRef: {name: settings}, prefix: S_}]
    volumeMounts: [{name: settings, mountPath: /etc/app}, {name: scratch, mountPath: /scratch}]
  - name: other
    image: app
    command: ["/bin/sh", "-c", "echo marker-other >/scratch/other"]
    volumeMounts: [{name: scratch, mountPath: /scratch}]
EOF
}

# small_up: the root of trust, the manifest ($WORK/sealed.yaml), the pod web and its sidecar.
small_up() {
	rot_up
	small_manifest >"$WORK/plain.yaml"
	mint_sealed "$WORK/eggs/web" shop --peer web --container app --container other
	inject "$WORK/plain.yaml" "$WORK/sealed.yaml"
	enclave_new web "$WORK/eggs/web" "$WORK/sealed.yaml" web
	sidecar_up web "$WORK/sealed.yaml" web
	SCRATCH=$(pod_path web "$VOLUMES/scratch")
	export SCRATCH
}

# small_run [MANIFEST [CONTAINER [OPTION...]]]: its volumes and one container, to its end; status in STATUS.
small_run() {
	local manifest=${1:-$WORK/sealed.yaml} container=${2:-app} token=$WORK/eggs/token-${2:-app}
	[ $# -lt 2 ] || shift
	[ $# -lt 1 ] || shift
	rm -f "$SCRATCH"/*
	volumes web "$manifest" web
	container_run web "${SMALL_TOKEN:-$token}" "$manifest" web "$container" "$@"
}

# small_starts WHAT ... and small_refused WHAT PATTERN ...: as small_run; refused means that nothing of the
# application ran and that the reason was said.
small_starts() {
	local what=$1
	shift
	small_run "$@"
	[ "$STATUS" = 0 ] || fail "$what: ended with $STATUS: $(tail -n 1 "$LOGS/${2:-app}-web.log")"
}

small_refused() {
	local what=$1 pattern=$2 log
	shift 2
	log=$LOGS/${2:-app}-web.log
	: >"$log"
	small_run "$@"
	[ "$STATUS" = 1 ] || fail "$what: ended with $STATUS"
	[ -z "$(ls -A "$SCRATCH")" ] || fail "$what: the application ran"
	has_line "$log" "$pattern" || fail "$what: it says $(tail -n 1 "$log")"
}

# tamper OPERATION...: $WORK/tampered.yaml
tamper() { python3 "$SUPPORT/tamper.py" "$WORK/sealed.yaml" "$@" >"$WORK/tampered.yaml" || fail "cannot tamper: $*"; }
