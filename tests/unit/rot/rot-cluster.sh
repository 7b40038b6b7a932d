#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# examples/rot-cluster: the manifests are what Kubernetes has, without a secret in them; the unit is what systemd has; every
# option they use is one of seal-rot's.
src=${srcdir:-.}
examples=$src/examples/rot-cluster
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

fail() {
	echo "rot-cluster: FAILED: $1" >&2
	exit 1
}

./seal-rot --help >"$work/help" || fail "no seal-rot"
# Lines that are no comments.
cat "$examples"/systemd/seal-rot.service "$examples"/systemd/seal-rot.service.d/etcd.conf "$examples"/kubernetes/rot.yaml |
	grep -v '^[[:space:]]*#' >"$work/all"
grep -o -- '--[a-z][a-z-]*' "$work/all" | sort -u >"$work/options"
[ "$(wc -l <"$work/options")" -ge 8 ] || fail "the options are not found"
while read -r option; do
	grep -q -- "$option " "$work/help" || fail "seal-rot has no $option"
done <"$work/options"

grep -Eq '^kind: Secret|PRIVATE|BEGIN' "$work/all" && fail "a secret in the examples"
for must in 'replicas: 3' 'runAsNonRoot: true' 'readOnlyRootFilesystem: true' 'kind: PodDisruptionBudget' \
	'kind: NetworkPolicy' 'podAntiAffinity:' 'path: /readyz' '- ALL'; do
	grep -qF -- "$must" "$work/all" || fail "no '$must'"
done
for must in 'LoadCredential=seal-kek:' 'NoNewPrivileges=yes' 'CapabilityBoundingSet=$' 'ProtectSystem=strict'; do
	grep -q -- "$must" "$work/all" || fail "no '$must'"
done

if command -v systemd-analyze >/dev/null; then
	# The program is not where the unit has it, and manuals may not be there at all.
	sed "s|/usr/sbin/seal-rot|$(command -v true)|; /^Documentation=/d" "$examples/systemd/seal-rot.service" >"$work/seal-rot.service"
	said=$(systemd-analyze verify "$work/seal-rot.service" 2>&1 | grep 'seal-rot.service')
	[ -z "$said" ] || fail "systemd: $said"
	mkdir "$work/seal-rot.service.d"
	sed "s|/usr/sbin/seal-rot|$(command -v true)|" "$examples/systemd/seal-rot.service.d/etcd.conf" >"$work/seal-rot.service.d/etcd.conf"
	said=$(systemd-analyze verify "$work/seal-rot.service" 2>&1 | grep 'seal-rot.service')
	[ -z "$said" ] || fail "systemd, with the drop-in: $said"
else
	echo "rot-cluster: without systemd-analyze"
fi

"$src/tests/support/k8s-validate" "$examples/kubernetes/rot.yaml" >"$work/said" 2>&1
case $? in
0) ;;
77) echo "SKIP: rot-cluster: $(cat "$work/said")" && exit 77 ;;
*) fail "Kubernetes: $(cat "$work/said")" ;;
esac
