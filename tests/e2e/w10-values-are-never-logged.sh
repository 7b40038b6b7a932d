#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Weakness 10: configuration, arguments and variables were logged, where the host reads them.  Here no value is in any
# log at any level, in /proc, in core files or on disk, whether things go well or not.
. "$(dirname "$0")/lib.sh"
. "$SUPPORT/sealed.sh"
need curl
MARKERS=(marker-one marker-two marker-secret marker-arg marker-plain marker-other)
small_up
stop proxy-web
stop rot
rot_start --log-level debug
lay_sidecar_egg web "$WORK/eggs/web"
sidecar_up web "$WORK/sealed.yaml" web --log-level debug

say "when it goes well"
small_starts "the control"
expect_line "$SCRATCH/env" marker-secret
seal unseal "$WORK/eggs/token-app" >"$LOGS/unseal.log" 2>&1 || true

say "and when it does not"
tamper copy ConfigMap/settings/one ConfigMap/settings/two
small_refused "a swap" 'sealed for' "$WORK/tampered.yaml"
inject "$WORK/plain.yaml" "$WORK/more.yaml" --explain >"$LOGS/explain.log" 2>&1
sed 's/marker-one/!!int marker-one/' "$WORK/plain.yaml" >"$WORK/bad.yaml"
inject "$WORK/bad.yaml" "$WORK/bad-sealed.yaml" >"$LOGS/bad.log" 2>&1 || true
expect_hidden "${MARKERS[@]}"

say "a crash leaves no core file, and the processes cannot be looked into"
ulimit -c unlimited
[ "$(on web cat "/proc/${PIDS[proxy-web]}/limits" | awk '/core file/ { print $5 }')" = 0 ] || fail "the sidecar may dump core"
stop proxy-web ABRT
! find "$WORK" "$(pod_written web)" -name 'core*' -size +0 | grep -q . || fail "a core file"

say "nothing of it is on a disk"
! grep -rlaE 'marker-(one|two|secret|arg|plain|other)' "$(pod_written web)/etc" "$(pod_written web)/run" "$ROT_DIR" 2>/dev/null ||
	fail "it is on a disk"
