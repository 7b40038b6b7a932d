#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# tests/support/k8s-validate is what others judge manifests by: real ones pass, but for those listed, and a
# field that Kubernetes does not know does not.
support=${srcdir:-.}/tests/support
manifests=${SEAL_VECTORS:-${srcdir:-.}/../shared/vectors}/k8s-manifests
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT

skip() {
	echo "SKIP: k8s-validate: $1"
	exit 77
}

fail() {
	echo "k8s-validate: FAILED: $1" >&2
	cat "$work/out" "$work/err" >&2
	exit 1
}

validate() { "$support/k8s-validate" "$@" >"$work/out" 2>"$work/err"; }

"$support/npm.sh" find >/dev/null || skip "node's packages are not installed (tests/support/npm.sh install)"

# A pod with a native sidecar, a number for a quantity, an empty value: all as Kubernetes has it.
cat >"$work/good.yaml" <<'END'
apiVersion: v1
kind: Pod
metadata: {name: good, creationTimestamp: null}
spec:
  initContainers:
  - {name: side, image: x, restartPolicy: Always, startupProbe: {exec: {command: [a]}}}
  containers:
  - {name: main, image: y, resources: {limits: {cpu: 1, memory: 64Mi}}}
---
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: ConfigMap, metadata: {name: c}, data: {a: b}}
END
validate "$work/good.yaml" || fail "a good manifest was refused"
grep -q '^2 objects, 2 checked, 0 errors$' "$work/err" || fail "not all of it was checked"

# refuse WHAT SED PATTERN: the good manifest, changed, is refused at that place.
refuse() {
	sed "$2" "$work/good.yaml" >"$work/bad.yaml"
	cmp -s "$work/good.yaml" "$work/bad.yaml" && fail "$1: nothing was changed"
	validate "$work/bad.yaml"
	[ $? = 1 ] || fail "$1: was accepted"
	grep -qF "$3" "$work/out" || fail "$1: not at $3"
}
refuse "an unknown field" 's/startupProbe/startProbe/' 'Pod good: $.spec.initContainers[0].startProbe:'
refuse "another type" 's/command: \[a\]/command: a/' '$.spec.initContainers[0].startupProbe.exec.command:'
refuse "a number as data" 's/a: b/a: 1/' 'document 2 item 0: ConfigMap c: $.data.a:'
refuse "a missing name" 's/name: side, //' '$.spec.initContainers[0]:'
refuse "a key twice" 's/^kind: Pod/kind: Pod\nkind: Pod/' 'duplicated mapping key'
refuse "no object" 's/^kind: List/- x/' 'bad.yaml: '

[ -d "$manifests" ] || skip "no vectors"
# Refused, and rightly: a key twice (127 to 129); a field of another kind (003) or of no kind (089, 150, 152); a
# boolean or number for a string (078, 171); patches without a selector, which were never whole (the others).
expected='003 013 014 047 078 089 127 128 129 150 152 164 171 179 180 181'
validate "$manifests"/*.y*ml "$manifests"/*.json
[ $? = 1 ] || fail "all real manifests were accepted"
refused=$(sed -n "s|^$manifests/\([0-9]*\)-.*|\1|p" "$work/out" | sort -u | tr '\n' ' ')
[ "$refused" = "$expected " ] || fail "refused are $refused, not $expected"
checked=$(sed -n 's/.* objects, \([0-9]*\) checked.*/\1/p' "$work/err")
[ "$checked" -gt 700 ] || fail "only $checked objects were checked"
