#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Sessions between peers are resumed, and everything is asked again each time: a peer that was taken off a
# listener cannot resume, neither can anybody with a new credential on either side, or at another listener.
. "$(dirname "$0")/lib.sh"
need python3 curl

rot_up
seal cert issue shop --peer web -o "$WORK/web" >/dev/null
seal cert issue shop --peer db -o "$WORK/db" >/dev/null
witness home 6379 silent

db_config() { printf 'inbound:\n  - {listen: "127.0.0.1:18443", forward: "127.0.0.1:6379", peers: [%s]}\n  - {listen: "127.0.0.1:18444", forward: "127.0.0.1:6379", peers: [web]}\n' "$1"; }
db_config web >"$WORK/db.yaml"
start home db "$SEAL_BUILD/seal-proxy" --credentials "$WORK/db" --config "$WORK/db.yaml" --metrics 127.0.0.1:9902 --control off
start home web "$SEAL_BUILD/seal-proxy" --credentials "$WORK/web" --metrics 127.0.0.1:9903 --control off \
	--outbound 127.0.0.1:7000=127.0.0.1:18443/db --outbound 127.0.0.1:7001=127.0.0.1:18444/db
wait_port home 7000
wait_port home 18443

# resumed PORT: how many handshakes that side has resumed so far.
resumed() { curl -sS --max-time 5 "http://127.0.0.1:$1/metrics" | awk 'index($1, "seal_handshake_resumed_total") == 1 { n += $2 } END { print n + 0 }'; }
# calls PORT COUNT: one after the other, each with an answer.
calls() {
	python3 - "$1" "$2" <<-'EOF'
		import socket, sys
		for _ in range(int(sys.argv[2])):
		    with socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=20) as conn:
		        conn.sendall(b"hello")
		        got = conn.recv(5, socket.MSG_WAITALL)
		        if got != b"hello":
		            sys.exit(f"answered {got!r}")
	EOF
}
# expect_resumed COUNT: since the last time, on both sides.
seen=0
expect_resumed() {
	local now web
	now=$(resumed 9902) web=$(resumed 9903)
	[ "$now" = "$web" ] || fail "one side resumed $now, the other $web"
	[ $((now - seen)) = "$1" ] || fail "$2: $((now - seen)) resumed, wanted $1"
	seen=$now
}

say "the first handshake is a full one, the others are not"
calls 7000 10
expect_resumed 9 "ten calls"

say "another listener of the same proxy: a full one"
calls 7001 3
expect_resumed 2 "three calls of another listener"

say "a peer that is taken off cannot come back by a session"
db_config ops >"$WORK/db.yaml"
reload db
! calls 7000 1 2>/dev/null || fail "served"
expect_line "$LOGS/db.log" "peer 'web' is not accepted by this listener"
expect_resumed 0 "refused"
db_config web >"$WORK/db.yaml"
reload db
calls 7000 2
seen=$(resumed 9902)

for side in db web; do
	say "$side has a new certificate: a full handshake first"
	before=$(count_lines "$LOGS/$side.log" credentials_loaded)
	seal cert issue shop --peer "$side" -o "$WORK/new-$side" >/dev/null
	cp "$WORK/new-$side"/*.pem "$WORK/$side/"
	wait_for 10 "the new credential" has_more "$LOGS/$side.log" credentials_loaded "$before"
	calls 7000 3
	expect_resumed 2 "three calls with $side's new certificate"
done

say "switched off, there is nothing to resume"
stop web
start home web2 "$SEAL_BUILD/seal-proxy" --credentials "$WORK/web" --metrics 127.0.0.1:9903 --control off --max-sessions 0 \
	--outbound 127.0.0.1:7000=127.0.0.1:18443/db
wait_port home 7000
calls 7000 3
[ "$(resumed 9903)" = 0 ] || fail "resumed all the same"
