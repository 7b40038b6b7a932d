#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A running sidecar is confined in every thread, and confined does all it is there for: hatch, carry, follow
# credentials that change, reload to new listeners on low ports and Unix sockets.  What it was not started
# with stays out of reach, and the self-test says what is refused.
. "$(dirname "$0")/lib.sh"
need python3 openssl curl

say "the self-test"
proxy=$SEAL_BUILD/seal-proxy
status=0
"$proxy" sandbox-test >"$WORK/self-test" 2>"$WORK/err" || status=$?
! grep -q '^ABSENT' "$WORK/self-test" || skip "no system call filter here, or an instrumented build"
[ "$status" = 0 ] || fail "$(cat "$WORK/err" "$WORK/self-test")"
expect_no_line "$WORK/self-test" '^(POSSIBLE|KEPT)'
expect_line "$WORK/self-test" '^refused   start a program: Operation not permitted$'
expect_line "$WORK/self-test" '^refused   be traced: '
expect_line "$WORK/self-test" '^refused   open a packet socket: '
expect_line "$WORK/self-test" '^refused   map writable code: '
landlock=$(sed -n 's/.*Landlock ABI \([0-9]*\).*/\1/p' "$WORK/self-test")
if [ -n "$landlock" ]; then
	expect_line "$WORK/self-test" '^refused   list the root folder: Permission denied$'
else
	say "this kernel has no Landlock: files are not confined"
	expect_line "$WORK/self-test" '^open      list the root folder: not enforced'
fi
[ "$(grep -c '^refused\|^open' "$WORK/self-test")" -gt 20 ] || fail "few attempts: $(cat "$WORK/self-test")"

say "the self-test without privileges"
plain=(setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all --bounding-set=-all --)
chmod 0711 "$WORK"
expect_exit 0 "${plain[@]}" "$proxy" sandbox-test

rot_up
pod_new web
pod_new db
witness db 6379
sidecar db db --inbound 8443=6379
mkdir -p "$WORK/config" "$WORK/run" "$WORK/elsewhere"
mint "$WORK/web.egg" shop --peer web
lay_egg web "$WORK/web.egg"

# config LISTENER...: each an outbound one to db.
config() {
	local listen
	echo "outbound:"
	for listen in "$@"; do
		printf '  - listen: %s\n    connect: db:8443\n    peers: [db]\n' "$listen"
	done
}
config 127.0.0.1:6379 "unix:$WORK/run/one.sock" >"$WORK/config/web.yaml"
proxy_up web proxy-web --config "$WORK/config/web.yaml"

# talk PORT|PATH: a line there and back.
talk() {
	[ "$(on web python3 -c '
import socket, sys
where = sys.argv[1]
s = socket.socket(socket.AF_UNIX if "/" in where else socket.AF_INET)
s.settimeout(10)
s.connect(where if "/" in where else ("127.0.0.1", int(where)))
s.sendall(b"hello\n")
print(s.makefile().readline(), end="")' "$1" 2>"$WORK/err")" = hello ]
}
must_talk() { talk "$1" || fail "no way through $1: $(tail -n 1 "$WORK/err") $(tail -n 1 "$LOGS/proxy-web.log")"; }

# expect_confined NAME: every thread, as the kernel sees it.
expect_confined() {
	local pid=${PIDS[$1]} thread threads=0
	expect_line "$LOGS/$1.log" 'event="*confined.*seccomp=true.*capabilities_dropped=true'
	for thread in /proc/"$pid"/task/*; do
		threads=$((threads + 1))
		expect_line "$thread/status" '^Seccomp:[[:space:]]+2$'
		expect_line "$thread/status" '^NoNewPrivs:[[:space:]]+1$'
		expect_line "$thread/status" '^Cap(Inh|Amb):[[:space:]]+0+$'
		# 400: CAP_NET_BIND_SERVICE
		expect_line "$thread/status" '^CapEff:[[:space:]]+0+[04]00$'
		expect_line "$thread/status" '^CapPrm:[[:space:]]+0+[04]00$'
		expect_line "$thread/status" '^CapBnd:[[:space:]]+0+[04]00$'
	done
	[ "$threads" -ge 2 ] || fail "$1 has $threads threads: the identity's is missing"
}

say "every thread of a running sidecar"
expect_confined proxy-db
expect_confined proxy-web

say "traffic, over TCP and a Unix socket; the egg is gone"
must_talk 6379
must_talk "$WORK/run/one.sock"
[ ! -e "$(pod_path web /etc/seal/egg)" ] || fail "the egg is still there after the hatch"

say "a reload: a low port, another Unix socket beside the first; and back to the first, whose remains are replaced"
config 127.0.0.1:6379 127.0.0.1:80 "unix:$WORK/run/two.sock" >"$WORK/config/next.yaml"
mv "$WORK/config/next.yaml" "$WORK/config/web.yaml"
reload proxy-web
must_talk 6379
must_talk 80
must_talk "$WORK/run/two.sock"
config 127.0.0.1:6379 127.0.0.1:80 "unix:$WORK/run/one.sock" >"$WORK/config/web.yaml"
reload proxy-web
must_talk "$WORK/run/one.sock"
expect_confined proxy-web

if [ -n "$landlock" ]; then
	say "a reload to what it was not started with is refused, and what ran goes on"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=x \
		-addext subjectAltName=DNS:x -keyout "$WORK/elsewhere/key" -out "$WORK/elsewhere/crt" 2>/dev/null
	cp "$WORK/elsewhere/"* "$WORK/config/"
	public() {
		config 127.0.0.1:6379
		printf 'public:\n  - listen: 0.0.0.0:8444\n    forward: 127.0.0.1:9\n    certificate: %s/crt\n    key: %s/key\n' "$1" "$1"
	}
	public "$WORK/elsewhere" >"$WORK/config/web.yaml"
	reload proxy-web reload_refused
	expect_line "$LOGS/proxy-web.log" 'reload_refused.*Permission denied'
	must_talk 80
	config 127.0.0.1:6379 "unix:$WORK/elsewhere/three.sock" >"$WORK/config/web.yaml"
	reload proxy-web reload_refused
	must_talk 80
	public "$WORK/config" >"$WORK/config/web.yaml"
	reload proxy-web
	must_talk 6379
fi

say "credentials that change are followed"
seal cert issue shop --peer web -o "$WORK/issued" >/dev/null
start web proxy-issued "$SEAL_BUILD/seal-proxy" --credentials "$WORK/issued" --health 127.0.0.1:9902 \
	--outbound 7000=db:8443/db
wait_port web 7000
wait_for 20 "credentials" has_line "$LOGS/proxy-issued.log" 'event="*credentials_loaded'
expect_confined proxy-issued
must_talk 7000
seal cert issue shop --peer web -o "$WORK/issued-next" >/dev/null
for file in key.pem cert.pem; do # one after the other: the pair in between is refused
	mv "$WORK/issued-next/$file" "$WORK/issued/$file"
done
loaded() { [ "$(grep -c 'event="*credentials_loaded' "$LOGS/proxy-issued.log")" -ge 2 ]; }
wait_for 20 "the new credentials" loaded
must_talk 7000

say "nothing it needed was refused, and it ends in order"
for name in proxy-web proxy-issued proxy-db; do
	stop "$name"
	[ "$STATUS" = 0 ] || fail "$name ended with $STATUS after SIGTERM"
	expect_no_line "$LOGS/$name.log" 'Operation not permitted'
done
