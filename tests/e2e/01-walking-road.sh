#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Two unmodified applications talk over mTLS without knowing: Redis behind one sidecar, its client behind
# another, each pod hatched from its own egg.
. "$(dirname "$0")/lib.sh"
need redis-server redis-cli curl

rot_up
pod_new web
pod_new db
pod_link web db

start db redis redis-server --bind 127.0.0.1 --port 6379 --save '' --dir /tmp
wait_port db 6379
sidecar db db --inbound 8443=6379
sidecar web web --outbound 6379=db:8443/db
wait_port web 6379

say "the pods share no loopback: Redis is not reachable but through the sidecars"
expect_exit 1 on web redis-cli -h db -p 6379 ping

say "queries go through"
[ "$(on web redis-cli -p 6379 ping)" = PONG ] || fail "no PONG"
on web redis-cli -p 6379 set egg hatched >/dev/null
[ "$(on web redis-cli -p 6379 get egg)" = hatched ] || fail "what was set is not what was got"
[ "$(on db redis-cli -p 6379 get egg)" = hatched ] || fail "the server does not hold what was set"

say "a thousand keys in one connection"
for i in $(seq 1000); do printf 'SET key:%d value:%d\n' "$i" "$i"; done |
	on web redis-cli -p 6379 >"$WORK/sets"
[ "$(grep -c '^OK' "$WORK/sets")" = 1000 ] || fail "not every SET was answered"
[ "$(on web redis-cli -p 6379 dbsize)" = 1001 ] || fail "keys are missing"

say "each side logged the peer by name, once per connection"
stop proxy-web
[ "$STATUS" = 0 ] || fail "seal-proxy ended with $STATUS after SIGTERM"
stop proxy-db
[ "$STATUS" = 0 ] || fail "seal-proxy ended with $STATUS after SIGTERM"
expect_line "$LOGS/proxy-db.log" 'peer="?web"?'
expect_line "$LOGS/proxy-web.log" 'peer="?db"?'

say "the egg is gone from the pod's disk"
[ ! -e "$(pod_path web /etc/seal/egg)" ] || fail "the egg is still there after the hatch"
