#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Configurations are swapped under traffic: good ones and broken ones in turn, and no request is lost.  What
# a broken one changes is nothing, what a good one changes is all of it.  60 of each; 1,000 with SEAL_LONG.
. "$(dirname "$0")/lib.sh"
need python3 curl

rounds=60
[ -z "${SEAL_LONG:-}" ] || rounds=1000

rot_up
seal peer allow shop web web >/dev/null
pod_new web
pod_new db
witness db 6379 silent
witness web 7379 silent

# config PORT PEERS: two listeners that stay, one that comes and goes.
config() {
	cat <<-EOF
		outbound:
		  - listen: 127.0.0.1:6379
		    connect: db:8443
		    peers: [$2]
		  - listen: 127.0.0.1:$1
		    connect: db:8443
	EOF
}

config 6400 db >"$WORK/web.yaml"
sidecar db db --inbound 8443=6379
mint "$WORK/web.egg" shop --peer web
lay_egg web "$WORK/web.egg"
proxy_up web proxy-web --config "$WORK/web.yaml"
wait_port web 6379

broken() {
	case $(($1 % 6)) in
	0) printf 'outbound:\n  - listen: 127.0.0.1:6379\n' ;;
	1) printf 'outbound: [\n' ;;
	2) config 6379 db ;;
	3) config 6400 'Not_A_Peer' ;;
	4) config 6400 db | sed 's/127.0.0.1:6400/0.0.0.0:6400/' ;;
	5) config 7379 db ;; # taken by the application
	esac
}

start web traffic python3 "$SUPPORT/traffic.py" 127.0.0.1 6379 3 "$WORK/stop"
for ((round = 0; round < rounds; round++)); do
	broken "$round" >"$WORK/web.yaml"
	reload proxy-web reload_refused
	config $((6400 + round % 2)) db >"$WORK/web.yaml"
	reload proxy-web
	is_alive traffic || fail "traffic was lost: $(cat "$LOGS/traffic.log")"
done
touch "$WORK/stop"
wait_exit 30 traffic
cat "$LOGS/traffic.log"
[ "$STATUS" = 0 ] || fail "see above"
say "$rounds broken and $rounds good configurations, no request lost"

last=$((6400 + (rounds - 1) % 2))
on web python3 -c "import socket; socket.create_connection(('127.0.0.1', $last), 5)" || fail "the new listener does not listen"
! on web python3 -c "import socket; socket.create_connection(('127.0.0.1', $((6801 - last))), 5)" 2>/dev/null ||
	fail "a listener that is gone still listens"
say "listeners come and go"

say "a peer is taken off a listener: its live connections end, others stay"
rm -f "$WORK/stop"
ended_on() { count_lines "$LOGS/proxy-web.log" "event=\"*connection.*listener=\"127.0.0.1:$1\""; }
old_stays=$(ended_on "$last") old_ends=$(ended_on 6379)
start web stays python3 "$SUPPORT/traffic.py" 127.0.0.1 "$last" 1 "$WORK/stop"
start web ends python3 "$SUPPORT/traffic.py" 127.0.0.1 6379 1 "$WORK/never"
both_serve() { [ "$(ended_on "$last")" -gt "$old_stays" ] && [ "$(ended_on 6379)" -gt "$old_ends" ]; }
wait_for 10 "traffic on both" both_serve
config "$last" web >"$WORK/web.yaml"
reload proxy-web
wait_exit 20 ends
[ "$STATUS" = 1 ] || fail "connections to a peer no longer accepted went on"
expect_line "$LOGS/proxy-web.log" "peer 'db' is not accepted by this listener"
is_alive stays || fail "connections that are still allowed were ended: $(cat "$LOGS/stays.log")"
touch "$WORK/stop"
wait_exit 30 stays
[ "$STATUS" = 0 ] || fail "connections that are still allowed were ended: $(cat "$LOGS/stays.log")"

say "a peer that the root of trust never allows is said"
config "$last" "db, ghost" >"$WORK/web.yaml"
reload proxy-web
expect_line "$LOGS/proxy-web.log" 'peer_never_allowed.*peer="ghost"'
expect_no_line "$LOGS/proxy-web.log" 'peer_never_allowed.*peer="db"'

say "a file replaced by nothing changes nothing"
rm "$WORK/web.yaml"
reload proxy-web reload_refused
is_healthy web || fail "not ready any more"
