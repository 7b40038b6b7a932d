#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What a running root of trust tells: metrics that strict readers take and that count what happened; a page for people
# that a browser renders without a word on its console and without asking anybody else; no secret in either; who asks
# by another name, or wants to change something, is refused.  SIGHUP does the day's work; SIGTERM answers whom it has heard.
# SEAL_SCREENSHOT=FILE: keep a picture of the page there.
# Takes: 45 s
. "$(dirname "$0")/lib.sh"
need python3 curl jq openssl chromium

PYTHON=$(PATH=/usr/bin:$PATH command -v python3)
HEALTH=127.0.0.1:9901
PAGE=127.0.0.1:9902
SECRETS=()

metrics() { curl -sS --max-time 5 "http://$HEALTH/metrics"; }
metric() { metrics | "$PYTHON" "$SUPPORT/metrics.py" "$1"; }
metric_is() { [ "$(metric "$1" 2>/dev/null)" = "$2" ]; }
expect_metric() { wait_for 10 "$1 to be $2 (it is $(metric "$1"))" metric_is "$1" "$2"; }
code() { curl -s -o "$WORK/body" -D "$WORK/headers" -w '%{http_code}' --max-time 10 "$@"; }
expect_code() {
	local want=$1 got
	shift
	got=$(code "$@")
	[ "$got" = "$want" ] || fail "curl $*: $got instead of $want"
}
page() { curl -sS --max-time 10 "http://$PAGE$1"; }
page_has() { [[ $(page "$1") == *"$2"* ]]; }
expect_page() { wait_for 10 "'$2' on $1" page_has "$1" "$2"; }
expect_page_lacks() { [[ $(page "$1") != *"$2"* ]] || fail "'$2' is on $1"; }
browse() {
	HOME=$WORK "$PYTHON" "$SUPPORT/browse.py" "$(command -v chromium)" "$@" >"$WORK/dom" 2>"$WORK/said" ||
		fail "the browser: $(cat "$WORK/said")"
}
allow() { seal peer allow "$@" >/dev/null; }

say "a page for other machines is refused"
rot_init
for address in 0.0.0.0:9902 10.77.0.1:9902 '[::]:9902'; do
	expect_exit 2 "$SEAL_BUILD/seal-rot" --dir "$ROT_DIR" --page "$address"
	expect_line "$WORK/err" 'for this machine alone'
done

say "a root of trust with something to show"
rot_start --health "$HEALTH" --page "$PAGE"
seal workload create shop >/dev/null
for pair in "web api" "mobile api" "api orders" "api catalog" "orders db" "catalog db" "orders queue" "billing queue" \
	"billing db" "api cache" "catalog cache"; do
	# shellcheck disable=SC2086 # two words
	allow shop $pair
done
allow shop metrics '*'
seal workload create payments >/dev/null
allow payments gateway ledger
allow payments ledger gateway
seal workload create blog >/dev/null
mint "$WORK/web.egg" shop --peer web --hostname '*.shop.example.com' --max-hatches 3 --container app
mint "$WORK/api.egg" shop --peer api --max-hatches 1
mint "$WORK/gateway.egg" payments --peer gateway
for i in 1 2 3; do
	seal cert issue shop --peer web --hostname "client-$i.shop.example.com" -o "$WORK/client-$i" >/dev/null
done
expect_hatched "the egg of api" "$WORK/api.egg"
expect_refused "the same again" "$WORK/api.egg"
seal egg revoke "$(egg_id "$WORK/gateway.egg")" --yes >/dev/null

say "twenty secrets"
for i in 1 2 3 4 5 6; do
	SECRETS+=("planted-$i-$(openssl rand -hex 8)")
	printf %s "${SECRETS[-1]}" >"$WORK/value"
	seal seal shop --peer web --kind Secret --name db --key "password-$i" -n shop "$WORK/value" >"$WORK/sealed-$i"
	SECRETS+=("$(cut -c 1-60 "$WORK/sealed-$i")")
done
SECRETS+=("$(tr -d '\n' <"$ROT_DIR/kek")" "$(tr -d '\n' <"$WORK/token-app" | tail -c 32)")
for egg in web api gateway; do
	SECRETS+=("$(tail -c 200 "$WORK/$egg.egg" | head -c 64)")
done
for key in "$ROT_DIR/admin/key.pem" "$WORK/client-1/key.pem" "$WORK/client-2/key.pem"; do
	SECRETS+=("$(sed -n 2p "$key")")
done
[ ${#SECRETS[@]} = 20 ] || fail "${#SECRETS[@]} secrets"
for secret in "${SECRETS[@]}"; do
	[ ${#secret} -ge 16 ] || fail "a secret too short to look for: '$secret'"
done

say "metrics: strict readers take them, and they count what happened"
[ "$(metrics | "$PYTHON" "$SUPPORT/metrics.py")" -gt 100 ] || fail "too few series"
if command -v promtool >/dev/null; then
	metrics | promtool check metrics >"$WORK/promtool" 2>&1 || fail "promtool: $(cat "$WORK/promtool")"
fi
expect_metric 'seal_hatch_total{result="ok"}' 1
expect_metric 'seal_hatch_total{result="refused"}' 1
expect_metric 'seal_issued_total{kind="pod"}' 1
expect_metric 'seal_issued_total{kind="egg"}' 3
expect_metric 'seal_issued_total{kind="outside"}' 3
expect_metric 'seal_request_seconds_count{endpoint="POST /v1/hatch"}' 2
expect_metric seal_workloads 3
expect_metric seal_eggs 1
expect_metric seal_certificates 4
expect_metric seal_store_up 1
expect_metric seal_ready 1
expect_metric seal_draining 0
[ "$(metric 'seal_expires_seconds{what="rot_certificate"}')" -gt 500000 ] || fail "the own certificate ends too soon"
[ "$(metric 'seal_expires_seconds{what="system_ca"}')" -gt 300000000 ] || fail "the system CA ends too soon"
[ "$(metric seal_store_commit_seconds_count)" -ge 20 ] || fail "commits are not counted"
for name in shop payments gateway api web 10.77 127.0 example "$(egg_id "$WORK/api.egg")"; do
	! metrics | grep -v '^# ' | grep -v 'endpoint=' | grep -qF "$name" || fail "'$name' is in the metrics"
done
expect_code 405 -X POST "http://$HEALTH/metrics"
expect_code 404 "http://$HEALTH/v1/status"

say "the page has what there is"
expect_page / '<a href="/workload/shop">shop</a>'
for pair in "web may call api" "orders may call db" "gateway may call ledger, and ledger may call gateway" "any may call any"; do
	expect_page / "$pair"
done
expect_page /workload/shop "metrics may call *"
expect_page /workload/shop ">every peer</text>"
expect_page / "client-1.shop.example.com"
expect_page / '<span class="state revoked">revoked</span>'
expect_page / '<span class="state spent">spent</span>'
expect_page / '1 of 1'
expect_page / 'egg.mint'
expect_page / '<span class="state refused">refused</span>'
expect_page_lacks / 'Needs attention'
expect_code 200 "http://$PAGE/workloads?after=blog"
[[ $(cat "$WORK/body") == *payments* && $(cat "$WORK/body") != *'/workload/blog"'* ]] || fail "the list does not go on behind blog"

say "a browser shows it, says nothing and asks nobody else"
browse "http://$PAGE/workload/shop" --dark --size 390x900
[ "$(grep -c '<svg' "$WORK/dom")" = 1 ] || fail "no drawing on the workload's page"
browse "http://$PAGE/" --size 1280x1440 --shot "$WORK/wide.png"
[ "$(grep -o 'class="edge"' "$WORK/dom" | wc -l)" -ge 15 ] || fail "pairs are missing in the drawing"
grep -q '<title>api may call cache</title>' "$WORK/dom" || fail "api and cache are not connected"
[ "$(wc -c <"$WORK/wide.png")" -gt 20000 ] || fail "an empty picture"
[ -z "${SEAL_SCREENSHOT:-}" ] || cp "$WORK/wide.png" "$SEAL_SCREENSHOT"

say "and would have said it: the same page with a script, or with a picture from elsewhere"
policy=$(curl -sS -o /dev/null -D - "http://$PAGE/" | tr -d '\r' | sed -n 's/^Content-Security-Policy: //p')
page / | sed 's|</main>|<script>1</script></main>|' >"$WORK/hostile.html"
echo '<img src="http://127.0.0.2:9904/x.png">' >"$WORK/open.html"
start home mirror "$PYTHON" -c '
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        closed = self.path == "/"
        body = open(sys.argv[1] if closed else sys.argv[3], "rb").read()
        self.send_response(200)
        if closed:
            self.send_header("Content-Security-Policy", sys.argv[2])
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.HTTPServer(("127.0.0.1", 9903), Handler).serve_forever()' "$WORK/hostile.html" "$policy" "$WORK/open.html"
wait_port home 9903
! HOME=$WORK "$PYTHON" "$SUPPORT/browse.py" "$(command -v chromium)" http://127.0.0.1:9903/ >/dev/null 2>"$WORK/said" ||
	fail "the browser saw nothing wrong in a script"
expect_line "$WORK/said" 'Content Security Policy'
! HOME=$WORK "$PYTHON" "$SUPPORT/browse.py" "$(command -v chromium)" http://127.0.0.1:9903/open >/dev/null 2>"$WORK/said" ||
	fail "the browser saw nothing wrong in a picture from elsewhere"
expect_line "$WORK/said" '127.0.0.2:9904'
stop mirror

say "no secret is told"
for document in / /workloads /workload/shop /workload/payments; do
	page "$document" >"$WORK/told$(tr / _ <<<"$document")"
done
metrics >"$WORK/told-metrics"
cp "$LOGS/rot.log" "$WORK/told-log"
for secret in "${SECRETS[@]}"; do
	! grep -lF -- "$secret" "$WORK"/told* || fail "a secret is told"
done
! grep -lE 'PRIVATE|BEGIN|seal-egg\.1|eyJ' "$WORK"/told* || fail "something that looks like a secret is told"

say "only names of this machine are answered, only reading, and nothing else"
for host in evil.example evil.example:9902 127.0.0.1:80 localhost localhost.evil.example:9902 10.77.0.1:9902 0.0.0.0:9902; do
	expect_code 421 -H "Host: $host" "http://$PAGE/"
done
for host in localhost:9902 LOCALHOST:9902 127.0.0.1:9902 127.1.2.3:9902 '[::1]:9902' rot.localhost:9902; do
	expect_code 200 -H "Host: $host" "http://$PAGE/"
done
for method in POST PUT DELETE PATCH OPTIONS; do
	expect_code 405 -X "$method" "http://$PAGE/"
	grep -qi '^content-security-policy: default-src .none.' "$WORK/headers" || fail "no policy on a refusal"
done
expect_code 200 -I "http://$PAGE/"
! grep -qi 'set-cookie' "$WORK/headers" || fail "a cookie"
for path in /favicon.ico /v1/status /workload/nobody /workload/..%2f /workload/%3Cscript%3E /index.html /metrics; do
	case $(code "http://$PAGE$path") in 404 | 400) ;; *) fail "$path is answered" ;; esac
done
! curl -s --max-time 2 "http://10.77.0.1:9902/" >/dev/null || fail "another address is listened on"

say "reloads cost the store nothing, and it shows what is new"
for i in $(seq 1 40); do page / >/dev/null; done
seal workload create later >/dev/null
expect_page / '/workload/later"'

say "SIGHUP: a new certificate for the listener, at once"
serial() {
	openssl s_client -connect "$ROT_HOST:$ROT_PORT" -servername "$ROT_HOST" -cert "$WORK/client-1/cert.pem" \
		-key "$WORK/client-1/key.pem" </dev/null 2>/dev/null |
		openssl x509 -noout -serial
}
before=$(serial)
[ -n "$before" ] || fail "no certificate"
kill -HUP "${PIDS[rot]}"
is_new() { [ "$(serial)" != "$before" ]; }
wait_for 10 "another certificate" is_new
expect_line "$LOGS/rot.log" 'event=reloaded'
expect_metric seal_ready 1

say "SIGTERM: not ready from now on, parked and running requests are answered"
seal status -o json | jq -r .ca >"$WORK/system-ca.pem"
sync() {
	curl -sS --max-time 60 --cacert "$WORK/system-ca.pem" --cert "$WORK/client-1/cert.pem" --key "$WORK/client-1/key.pem" \
		-w '%{http_code}\n' "https://$ROT_HOST:$ROT_PORT/v1/sync?epoch=$1" -o "$2"
}
sync 0 "$WORK/news" >/dev/null
sync "$(jq .epoch "$WORK/news")" "$WORK/none" >"$WORK/parked" 2>&1 &
parked=$!
expect_metric seal_sync_waiting 1
"$PYTHON" - "$ROT_DIR/rot.sock" "$WORK/half" "$HEALTH" >"$WORK/running" 2>&1 <<'EOF_PY' &
import os, socket, sys, time, urllib.error, urllib.request
body = b'{"name":"last","open":false}'
s = socket.socket(socket.AF_UNIX)
s.settimeout(20)
s.connect(sys.argv[1])
s.sendall(b"POST /v1/workloads HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body[:10])
open(sys.argv[2], "w").close()
for _ in range(200):
    try:
        urllib.request.urlopen(f"http://{sys.argv[3]}/readyz", timeout=5)
    except urllib.error.HTTPError as error:
        print("readyz", error.code)
        break
    time.sleep(0.05)
s.sendall(body[10:])
print(s.recv(4096).split(b"\r\n")[0].decode())
EOF_PY
running=$!
wait_for 10 "half a request" test -e "$WORK/half"
kill -TERM "${PIDS[rot]}"
wait_exit 20 rot
[ "$STATUS" = 0 ] || fail "ended with $STATUS"
wait "$parked" || fail "the parked request got no answer: $(cat "$WORK/parked")"
wait "$running" || fail "the running request: $(cat "$WORK/running")"
expect_line "$WORK/parked" '^(200|204)$'
expect_line "$WORK/running" '^readyz 503$'
expect_line "$WORK/running" '^HTTP/1.1 201 '
rot_start
seal workload show last >/dev/null || fail "what was acknowledged at the end is not there"

say "over a socket of its own"
stop rot
rot_start --page "unix:$WORK/page.sock"
[ "$(stat -c '%a %F' "$WORK/page.sock")" = '600 socket' ] || fail "mode $(stat -c '%a %F' "$WORK/page.sock")"
expect_code 200 --unix-socket "$WORK/page.sock" http://localhost/
expect_code 421 --unix-socket "$WORK/page.sock" http://evil.example/
stop rot
[ ! -e "$WORK/page.sock" ] || fail "the socket was left behind"
