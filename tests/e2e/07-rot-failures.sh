#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A root of trust that hangs, closes, answers 500 or garbage, or is somebody else: the sidecar says clearly what
# is wrong, keeps trying, opens no listener, writes nothing, and is well again when the root of trust is.
# Takes: 56 s
. "$(dirname "$0")/lib.sh"
need python3 openssl curl

FAKE=$WORK/fake
python3 "$SUPPORT/fake_rot.py" init "$FAKE" "$ROT_HOST" 9000 >"$LOGS/fake-init.log" 2>&1
start home fake-rot python3 "$SUPPORT/fake_rot.py" serve "$FAKE"
wait_for 20 "the fake roots of trust" test -e "$FAKE/serving"

modes=$(cat "$FAKE/modes")
for mode in $modes; do
	pod_new "$mode"
	lay_egg "$mode" "$FAKE/$mode.egg"
done
written() { (cd "$(pod_written "$1")" && find . -type f -exec sha256sum {} + | sort); }
for mode in $modes; do
	written "$mode" >"$WORK/before-$mode"
	proxy_start "$mode" "proxy-$mode" --inbound 8443=6379 --outbound 6379=db:8443/db
done

say "good: the control, which shows that the fake is believed when nothing is wrong with it"
wait_for 30 "the control to be ready" is_healthy good
wait_port good 8443

# What the sidecar must say in each case.
declare -A reasons=(
	[hang]='time(d )?out' [close]='(reset|closed|empty)' [plain-http]='(version|TLS|SSL)' [wrong-ca]='issuer'
	[wrong-role]='role' [client-only]='(purpose|serverAuth)' [tls12]='(protocol|version)' [mute]='time(d )?out'
	[close-late]='(mpty|closed)' [garbage]='HTTP' [status-500]='500' [status-503]='503' [not-json]='JSON'
	[empty-object]='certificate' [cut-short]='JSON' [huge]='limit' [refused]='refused' [other-key]='key'
	[other-domain]='domain' [other-workload]='(workload|bank)' [other-bundle]='issuer' [expired]='expired'
	[ca-as-leaf]='(CA|purpose)' [two-uris]='URI' [no-policy]='clients'
)
for mode in $modes; do
	[ "$mode" != good ] || continue
	log=$LOGS/proxy-$mode.log
	wait_for 60 "$mode: the sidecar to say what is wrong" has_line "$log" \
		"level=(warn|error) event=hatch_failed reason=\"[^\"]*${reasons[$mode]}"
	is_alive "proxy-$mode" || fail "$mode: the sidecar gave up"
	! is_healthy "$mode" || fail "$mode: ready without an identity"
	! is_listening "$mode" 8443 || fail "$mode: listens without an identity"
	! is_listening "$mode" 6379 || fail "$mode: listens without an identity"
	written "$mode" >"$WORK/after-$mode"
	expect_same "$WORK/before-$mode" "$WORK/after-$mode"
	say "$mode: $(grep -m1 -oE 'reason="[^"]*"' "$log" | cut -c 1-160)"
done

say "they keep trying"
tries() { [ "$(grep -c event=hatch_failed "$LOGS/proxy-$1.log")" -ge 2 ]; }
for mode in $modes; do
	[ "$mode" = good ] || wait_for 60 "$mode: a second attempt" tries "$mode"
done

say "and are well again when the root of trust is"
kill -s HUP "${PIDS[fake-rot]}" # from now on every mode is good
for mode in $modes; do
	wait_for 90 "$mode: to recover" is_healthy "$mode"
	[ -e "$FAKE/$mode.hatched" ] || fail "$mode: ready, but it did not hatch here"
done
