#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Weakness 14: failures ended with 0, and the application's exit code, signals and zombies were lost.
. "$(dirname "$0")/lib.sh"
. "$SUPPORT/sealed.sh"
need curl
small_up

# command_of SCRIPT: the small pod with another program.
command_of() {
	python3 - "$WORK/plain.yaml" "$1" >"$WORK/changed.yaml" <<'EOF'
import sys, yaml
documents = list(yaml.safe_load_all(open(sys.argv[1])))
pod = documents[2]["spec"]
pod["containers"][0]["command"] = ["/bin/sh", "-c", sys.argv[2]]
yaml.safe_dump_all(documents, sys.stdout, sort_keys=False)
EOF
	inject "$WORK/changed.yaml" "$WORK/sealed.yaml"
	volumes web "$WORK/sealed.yaml" web
	stop proxy-web
	lay_sidecar_egg web "$WORK/eggs/web"
	sidecar_up web "$WORK/sealed.yaml" web
}
ends_with() {
	small_run
	[ "$STATUS" = "$1" ] || fail "ended with $STATUS instead of $1"
}

say "exit codes"
command_of 'exit 42'
ends_with 42
command_of 'kill -SEGV $$$$' # $$ is one $, as everywhere in a command
ends_with 139
command_of 'exec /nowhere'
ends_with 127

say "signals arrive, and the application's own end is the container's"
command_of 'trap "echo got >/scratch/got; exit 7" TERM; echo up >/scratch/up; while :; do sleep 0.1; done'
rm -f "$SCRATCH"/*
container_start web "$WORK/eggs/token-app" "$WORK/sealed.yaml" web app
wait_for 20 "the application" test -e "$SCRATCH/up"
kill -TERM "${PIDS[app-web]}"
wait_exit 20 app-web
[ "$STATUS" = 7 ] || fail "ended with $STATUS instead of 7"
expect_line "$SCRATCH/got" got

say "orphans are reaped"
command_of '(sleep 0.2 & exec sh -c "sleep 0.1 & exit") ; echo up >/scratch/up; exec sleep 30'
container_start web "$WORK/eggs/token-app" "$WORK/sealed.yaml" web app
wait_for 20 "the application" test -e "$SCRATCH/up"
sleep 1
! pgrep -P "${PIDS[app-web]}" -r Z || fail "a zombie is left"
wait_for 10 "the sleeper" pgrep -P "${PIDS[app-web]}" -x sleep
kill -KILL "$(pgrep -P "${PIDS[app-web]}" -x sleep)"
wait_exit 20 app-web
[ "$STATUS" = 137 ] || fail "ended with $STATUS instead of 137"
