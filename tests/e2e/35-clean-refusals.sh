#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# With 64 descriptors and 200 callers, whoever cannot be taken is hung up on at once instead of being left to
# wait, health answers all the while, and afterwards everything is as before.
. "$(dirname "$0")/lib.sh"
need python3 curl prlimit

rot_up
seal cert issue shop --peer web -o "$WORK/web" >/dev/null
seal cert issue shop --peer db -o "$WORK/db" >/dev/null
witness home 8080 silent
start home proxy-db prlimit --nofile=64:64 "$SEAL_BUILD/seal-proxy" --health 9901 --credentials "$WORK/db" --inbound 127.0.0.1:8444=8080/web
start home proxy-web "$SEAL_BUILD/seal-proxy" --health 9902 --credentials "$WORK/web" --outbound 7000=127.0.0.1:8444/db
is_ready() { HEALTH=127.0.0.1:$1 is_healthy home; }
wait_for 20 "db's sidecar" is_ready 9901
wait_for 20 "web's sidecar" is_ready 9902
served() { [ "$(python3 "$SUPPORT/halfclose.py" 127.0.0.1 7000 <<<hello)" = hello ]; }
served || fail "nobody is served"

for round in 1 2; do
	start home holders python3 "$SUPPORT/exhaust.py" hold 127.0.0.1 8444 200 2 64
	sleep 1
	[ "$(curl -s -m 3 -o /dev/null -w '%{http_code}' http://127.0.0.1:9901/healthz)" = 200 ] || fail "health does not answer"
	wait_exit 40 holders
	[ "$STATUS" = 0 ] || fail "round $round: callers are left waiting: $(cat "$LOGS/holders.log")"
	wait_for 30 "an honest client to be served again" served
done
cat "$LOGS/holders.log"
stop proxy-db
[ "$STATUS" = 0 ] || fail "seal-proxy ended with $STATUS"
