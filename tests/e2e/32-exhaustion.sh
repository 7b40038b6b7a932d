#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# More than there is: of descriptors, of handshakes that take for ever, of applications and peers that are dead,
# slow, deaf or rude.  The sidecar survives, says no where it must, serves the others, and recovers.  1,000
# slow handshakes; 5,000 with SEAL_LONG.
# Takes: 31 s
. "$(dirname "$0")/lib.sh"
need python3 curl prlimit ip

slow=1000
[ -z "${SEAL_LONG:-}" ] || slow=5000

rot_up
seal cert issue shop --peer web -o "$WORK/web" >/dev/null
seal cert issue shop --peer db -o "$WORK/db" >/dev/null
exhaust() { python3 "$SUPPORT/exhaust.py" "$@"; }
# An address behind which nobody answers: what is sent there is gone.
ip link add nowhere type veth peer name void
ip address add 10.99.0.1/24 dev nowhere
ip link set nowhere up
ip link set void up
ip neighbour add 10.99.0.2 lladdr 02:00:00:00:00:99 dev nowhere nud permanent

for mode in reset:8081 slow:8082 deaf:8083 full:8084; do
	start home "backend-${mode%:*}" python3 "$SUPPORT/exhaust.py" backend "${mode#*:}" "${mode%:*}"
	wait_port home "${mode#*:}"
done
witness home 8080 silent
start home proxy-db "$SEAL_BUILD/seal-proxy" --health 9901 --credentials "$WORK/db" --drain-timeout 3s --idle-timeout 3s \
	--inbound 127.0.0.1:8444=8080/web --inbound 127.0.0.1:8451=8081/web --inbound 127.0.0.1:8452=8082/web \
	--inbound 127.0.0.1:8453=8083/web --inbound 127.0.0.1:8454=8084/web --inbound 127.0.0.1:8455=9/web
start home proxy-web "$SEAL_BUILD/seal-proxy" --health 9902 --credentials "$WORK/web" --drain-timeout 3s --idle-timeout 3s \
	--outbound 7000=127.0.0.1:8444/db --outbound 7001=127.0.0.1:8451/db --outbound 7002=127.0.0.1:8452/db \
	--outbound 7003=127.0.0.1:8453/db --outbound 7004=127.0.0.1:8454/db --outbound 7005=127.0.0.1:8455/db \
	--outbound 7006=10.99.0.2:8444/db --outbound 7007=127.0.0.1:9/db --outbound 7008=127.0.0.1:9,127.0.0.1:8444/db
is_ready() { HEALTH=127.0.0.1:$1 is_healthy home; }
wait_for 20 "db's sidecar" is_ready 9901
wait_for 20 "web's sidecar" is_ready 9902

served() { [ "$(python3 "$SUPPORT/halfclose.py" 127.0.0.1 7000 <<<hello)" = hello ]; }
descriptors() { find "/proc/${PIDS[$1]}/fd" -mindepth 1 | wc -l; }
rss() { awk '/^VmRSS:/ { print $2 }' "/proc/${PIDS[$1]}/status"; }
no_more_than() { [ "$(descriptors "$1")" -le "$2" ]; }
# now: milliseconds.
now() { date +%s%3N; }

# ended PORT LEAST MOST: a caller at PORT is hung up on, without an answer, in that many milliseconds.
ended() {
	local begin took got
	begin=$(now)
	got=$(python3 "$SUPPORT/halfclose.py" 127.0.0.1 "$1" <<<hello 2>/dev/null || true)
	took=$(($(now) - begin))
	[ -z "$got" ] || fail "port $1 answered '$got'"
	[ "$took" -ge "$2" ] && [ "$took" -le $(($3 * SEAL_SLOW)) ] || fail "port $1: hung up after $took ms, wanted $2 to $3"
	say "port $1: hung up after $took ms"
}

for _ in $(seq 20); do served || fail "nobody is served"; done
db_before=$(descriptors proxy-db) web_before=$(descriptors proxy-web)

# All at the same time: each may be tried again until the deadline for connecting is over.
say "an application that resets, one that nobody is, one that does not accept; a peer that nobody is, one behind a hole"
for port in 7001 7004 7005 7006 7007; do
	ended "$port" 0 8000 &
	PIDS[ended-$port]=$!
done
for port in 7001 7004 7005 7006 7007; do
	wait_exit 20 "ended-$port"
	[ "$STATUS" = 0 ] || fail "see above"
done
say "a peer that nobody is, with another behind it"
[ "$(python3 "$SUPPORT/halfclose.py" 127.0.0.1 7008 <<<hello)" = hello ] || fail "the second target was not tried"
say "an application that is slow is waited for"
[ "$(python3 "$SUPPORT/halfclose.py" 127.0.0.1 7002 <<<'0123456789')" = 0123456789 ] || fail "the slow one's bytes are lost"
say "an application that takes nothing"
db_rss=$(rss proxy-db) web_rss=$(rss proxy-web)
exhaust drown 7003 256 2 || fail "it was all taken, by somebody"
if ! grep -q libasan "/proc/${PIDS[proxy-db]}/maps"; then
	[ $(($(rss proxy-db) - db_rss)) -lt 4096 ] || fail "db's sidecar grew from $db_rss to $(rss proxy-db) KiB"
	[ $(($(rss proxy-web) - web_rss)) -lt 4096 ] || fail "web's sidecar grew from $web_rss to $(rss proxy-web) KiB"
fi
served || fail "nobody is served any more"
wait_for 20 "db's sidecar to let go" no_more_than proxy-db "$db_before"
wait_for 20 "web's sidecar to let go" no_more_than proxy-web "$web_before"

say "handshakes of a byte a second"
exhaust slow "$WORK/web" 8444 7000 "$slow" || fail "the slow ones are in the honest one's way"
wait_for 30 "the slow ones to be forgotten" no_more_than proxy-db "$db_before"

say "64 descriptors, and 200 who want one"
prlimit --pid "${PIDS[proxy-db]}" --nofile=64:64
start home holders python3 "$SUPPORT/exhaust.py" hold 127.0.0.1 8444 200 3 200
sleep 1.5
is_alive proxy-db || fail "the sidecar is gone"
for _ in 1 2 3; do
	[ "$(curl -s -m 3 -o /dev/null -w '%{http_code}' http://127.0.0.1:9901/healthz)" = 200 ] || fail "health does not answer"
done
wait_exit 40 holders
cat "$LOGS/holders.log"
wait_for 30 "an honest client to be served again" served
wait_for 30 "db's sidecar to let go" no_more_than proxy-db "$db_before"
has_line "$LOGS/proxy-db.log" 'level=warn' || fail "nothing was said about it"

for name in proxy-db proxy-web; do
	stop "$name"
	[ "$STATUS" = 0 ] || fail "$name ended with $STATUS"
done
