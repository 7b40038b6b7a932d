#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Limits: connections in all, of one peer, of one source; handshakes that drip in make room for those that
# come in one piece.  Beyond a limit the answer is a reset and a count, and what was there before goes on.
. "$(dirname "$0")/lib.sh"
need python3 curl

rot_up
seal cert issue shop --peer web -o "$WORK/web" >/dev/null
seal cert issue shop --peer db -o "$WORK/db" >/dev/null
witness home 6379 silent

# db LIMITS: the sidecar in front of the application.
db() {
	printf 'inbound:\n  - listen: 127.0.0.1:18443\n    forward: 127.0.0.1:6379\n    peers: [web]\nlimits: {%s}\n' "$1" >"$WORK/db.yaml"
	if [ -n "${PIDS[db]:-}" ]; then
		reload db
		return
	fi
	start home db "$SEAL_BUILD/seal-proxy" --credentials "$WORK/db" --config "$WORK/db.yaml" --metrics 127.0.0.1:9902 --health "$HEALTH" --control "unix:$WORK/db.sock"
	wait_for 20 "the sidecar" is_settled home db
}

metric() { curl -sS --max-time 5 http://127.0.0.1:9902/metrics | awk -v name="$1" 'index($1, name "{") == 1 || $1 == name { n += $2 } END { print n + 0 }'; }

db "connections: 20"
start home web "$SEAL_BUILD/seal-proxy" --credentials "$WORK/web" --outbound 127.0.0.1:7000=127.0.0.1:18443/db --control off
wait_port home 7000

say "connections in all"
python3 "$SUPPORT/limits.py" hold 127.0.0.1 7000 20 30 || fail "see above"
[ "$(metric seal_limited_total)" -ge 10 ] || fail "seal_limited_total is $(metric seal_limited_total)"

say "of one peer, of one source; a limit that is lifted is gone"
db "per-peer: 5"
python3 "$SUPPORT/limits.py" hold 127.0.0.1 7000 5 12 || fail "see above"
expect_line "$LOGS/db.log" "peer 'web'"
db "per-source: 7"
python3 "$SUPPORT/limits.py" hold 127.0.0.1 7000 7 12 || fail "see above"
db "per-source: 0"
python3 "$SUPPORT/limits.py" hold 127.0.0.1 7000 40 40 || fail "see above"

say "handshakes that drip in give way to those that come in one piece"
db "handshakes: 50"
before=$(metric seal_limited_total)
python3 "$SUPPORT/limits.py" drip 127.0.0.1 18443 200 127.0.0.1 7000 || fail "see above"
[ "$(metric seal_limited_total)" -ge $((before + 100)) ] || fail "nobody gave way: $(metric seal_limited_total) after $before"
wait_for 20 "an end of all handshakes" has_line "$LOGS/db.log" "the slowest gave way"
