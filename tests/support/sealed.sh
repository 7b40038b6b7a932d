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

# enclave_new POD EGG MANIFEST NAME: the pod's volumes, its egg, seal-wrap in its place.
enclave_new() {
	local pod=$1
	pod_new "$pod"
	lay_egg "$pod" "$2"
	install -D -m 0755 "$SEAL_BUILD/seal-wrap" "$(pod_path "$pod" "$WRAP")"
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
		--program "$SEAL_BUILD/seal-proxy" -- "$@"
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
