#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What a running sidecar tells: metrics that strict readers take and that count what happened, a status for
# programs and for people over a socket of its own user, and a log level that changes at run time.
. "$(dirname "$0")/lib.sh"
need python3 curl jq setpriv

METRICS=127.0.0.1:9902
SOCKET=/run/seal/proxy.sock
PROXY=$SEAL_BUILD/seal-proxy
# Debian's interpreter, which sees python3-prometheus-client where it is installed.
PYTHON=$(PATH=/usr/bin:$PATH command -v python3)
IN='{listener="0.0.0.0:8443",direction="inbound"}'
OUT='{listener="127.0.0.1:6379",direction="outbound"}'

metrics() { on "$1" curl -sS --max-time 5 "http://$METRICS/metrics"; }
# metric POD SERIES: its value.
metric() { metrics "$1" | "$PYTHON" "$SUPPORT/metrics.py" "$2"; }
metric_is() { [ "$(metric "$1" "$2" 2>/dev/null)" = "$3" ]; }
expect_metric() { wait_for 10 "$2 of $1 to be $3 (it is $(metric "$1" "$2"))" metric_is "$1" "$2" "$3"; }
status() { on "$1" "$PROXY" status --output json; }
# fact POD FILTER: a part of the status.
fact() { status "$1" | jq -r "$2"; }
expect_fact() {
	local got
	got=$(fact "$1" "$2")
	[ "$got" = "$3" ] || fail "status of $1: $2 is '$got', wanted '$3'"
}
call_db() { on "$1" "$PYTHON" "$SUPPORT/halfclose.py" 127.0.0.1 6379 <<<"$2" 2>/dev/null; }

rot_up
for pod in web db eve; do pod_new "$pod"; done
seal peer allow shop eve web >/dev/null
witness db 6379
sidecar db db --inbound 8443=6379 --metrics "$METRICS"
sidecar web web --outbound 6379=db:8443/db --metrics "$METRICS"
sidecar eve eve --outbound 6379=db:8443 --metrics "$METRICS"

say "metrics are read by strict readers, before and after there is something to count"
for pod in web db eve; do
	[ "$(metrics "$pod" | "$PYTHON" "$SUPPORT/metrics.py")" -gt 30 ] || fail "too few series in $pod"
	expect_metric "$pod" seal_ready 1
	expect_metric "$pod" seal_draining 0
done
"$PYTHON" -c 'import prometheus_client' 2>/dev/null || say "(without python3-prometheus-client: our own reader only)"

say "and count what happens"
for word in one two three; do [ "$(call_db web "$word")" = "$word" ] || fail "db did not echo"; done
expect_metric db "seal_accept_total$IN" 3
expect_metric db "seal_admitted_total$IN" 3
expect_metric db "seal_finished_total$IN" 3
expect_metric db "seal_connections$IN" 0
expect_metric db "seal_handshake_seconds_count$IN" 3
expect_metric db "seal_bytes_total${IN%\}},to=\"app\"}" 14
expect_metric db "seal_bytes_total${IN%\}},to=\"wire\"}" 14
expect_metric web "seal_accept_total$OUT" 3
expect_metric web 'seal_target_up{listener="127.0.0.1:6379",target="db:8443"}' 1
[ "$(metric db seal_cert_expiry_seconds)" -gt 80000 ] || fail "the certificate ends too soon"

say "a peer that may not is counted and stays out of every label"
[ -z "$(call_db eve hello)" ] || fail "eve was answered"
is_denied() { [ "$(metric db "seal_peer_denied_total$IN")" -ge 1 ]; }
wait_for 10 "eve to be counted" is_denied
[[ $(metrics db) != *eve* ]] || fail "a peer's name is in the metrics"

say "status: for programs"
expect_fact db .ready true
expect_fact db .identity.workload shop
expect_fact db .identity.peer db
expect_fact db .identity.trust_domain seal.test
expect_fact db '.identity.clients | join(",")' web
expect_fact db '.listeners | length' 1
expect_fact db '.listeners[0] | .direction + " " + .listen' 'inbound 0.0.0.0:8443'
expect_fact db '.listeners[0].targets[0] | .address + " " + (.healthy | tostring)' '127.0.0.1:6379 true'
expect_fact db .listeners[0].admitted 3
[ "$(date -d "$(fact db .identity.not_after)" +%s)" -gt "$(date +%s)" ] || fail "not_after is over"
expect_fact db '.connections | has("live")' false

say "and for people, with a connection that is live"
start web held "$PYTHON" "$SUPPORT/ticker.py" 127.0.0.1 6379 "$WORK/ticks"
wait_for 10 "the first tick" test -s "$WORK/ticks"
on db "$PROXY" status --connections >"$WORK/table"
expect_line "$WORK/table" '^seal-proxy +ready, up '
expect_line "$WORK/table" '^identity +spiffe://seal.test/workload/shop/peer/db$'
expect_line "$WORK/table" '^certificate +generation [0-9]+, valid until 20[0-9TZ:-]+ \(in [0-9dhm]+\)$'
expect_line "$WORK/table" '^inbound +0\.0\.0\.0:8443 '
expect_line "$WORK/table" '^0\.0\.0\.0:8443 +127\.0\.0\.1:6379 +up '
expect_line "$WORK/table" '^ *[0-9]+ +inbound +0\.0\.0\.0:8443 +web +10\.77\.'
! grep -qP '[^\x20-\x7e]' "$WORK/table" || fail "more than printable letters in the table"
[ "$(on db curl -sS --unix-socket "$SOCKET" 'http://x/v1/status?connections=1' | jq '.connections.live | length')" = 1 ] ||
	fail "the live connection is not listed"
stop held

say "nothing secret is told"
for text in "$(metrics db)" "$(status db)" "$(cat "$WORK/table")"; do
	[[ $text != *PRIVATE* && $text != *BEGIN* && $text != *seal-egg* ]] || fail "a secret: $text"
done

say "the log level changes while it runs"
expect_no_line "$LOGS/proxy-db.log" 'level=debug'
on db "$PROXY" log-level debug
expect_line "$LOGS/proxy-db.log" 'event=log_level from="info" to="debug"'
[ "$(call_db web four)" = four ] || fail "db did not echo"
wait_for 10 "a debug line" has_line "$LOGS/proxy-db.log" 'level=debug'
expect_fact db .log_level debug
on db "$PROXY" log-level info
expect_fact db .log_level info
expect_exit 2 on db "$PROXY" log-level loud
expect_line "$WORK/err" 'loud'

say "the socket is for its own user and root, by the mode and by the kernel's word"
[ "$(on db stat -c '%a %F' "$SOCKET")" = '600 socket' ] || fail "mode $(on db stat -c '%a %F' "$SOCKET")"
as_nobody() { on db setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }
expect_exit 1 as_nobody "$PROXY" status --control unix:/run/seal/proxy.sock
expect_line "$WORK/err" 'as the user of seal-proxy, or as root'
on db chmod 0666 "$SOCKET"
expect_exit 1 as_nobody "$PROXY" status --control unix:/run/seal/proxy.sock
expect_line "$WORK/err" "only for the proxy's own user and root"
on db chmod 0600 "$SOCKET"

say "who is not there is named, with what to do"
expect_exit 1 on db "$PROXY" status --control unix:/run/seal/nobody.sock
expect_line "$WORK/err" 'no seal-proxy answers at /run/seal/nobody.sock: is it running, with --control\?'

say "methods and paths that are not served"
code() { on db curl -s -o /dev/null -w '%{http_code}' --max-time 5 "$@"; }
[ "$(code "http://$METRICS/")" = 404 ] || fail "/ of metrics"
[ "$(code -X POST "http://$METRICS/metrics")" = 405 ] || fail "POST of metrics"
[ "$(code "http://$METRICS/v1/status")" = 404 ] || fail "status over TCP"
[ "$(code --unix-socket "$SOCKET" http://x/v1/keys)" = 404 ] || fail "/v1/keys"
[ "$(code --unix-socket "$SOCKET" http://x/v1/log-level?level=debug)" = 405 ] || fail "GET of log-level"
[ "$(code --unix-socket "$SOCKET" -X PUT http://x/v1/log-level?level=loud)" = 400 ] || fail "a level that is none"

say "200 connections that ask for metrics and do not listen harm nobody"
start db flood "$PYTHON" -c '
import socket, sys, time
held = []
for i in range(200):
    s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
    try:
        s.sendall([b"", b"GET /met", b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 50][i % 3])
    except OSError:
        pass
    held.append(s)
print("held", flush=True)
time.sleep(600)' "${METRICS#*:}"
wait_for 20 "the flood" has_line "$LOGS/flood.log" held
[ "$(call_db web five)" = five ] || fail "db did not echo under the flood"
expect_fact db .ready true
is_healthy db || fail "not ready under the flood"
metrics_answer() { metrics db | grep -q '^seal_ready 1$'; }
wait_for 30 "metrics behind the flood" metrics_answer
stop flood KILL

say "draining is told while it lasts"
start web held "$PYTHON" "$SUPPORT/ticker.py" 127.0.0.1 6379 "$WORK/ticks2"
wait_for 10 "the first tick" test -s "$WORK/ticks2"
kill -s TERM "${PIDS[proxy-db]}"
drains() { [ "$(fact db .draining)" = true ]; }
wait_for 10 "draining in the status" drains
expect_metric db seal_draining 1
expect_metric db seal_ready 0
stop held
wait_exit 20 proxy-db
[ "$STATUS" = 0 ] || fail "ended with $STATUS"
on db test ! -e "$SOCKET" || fail "the socket was left behind"
