#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Whatever is denied, revoked or deleted ends within two seconds, on live connections, and nothing else does: a pair, a
# certificate, an egg with the pods that came of it, a peer, a workload.  It stays ended when seal-rot and sidecars
# start again, and no resumed session gets round it.
# Takes: 12 s
. "$(dirname "$0")/lib.sh"
need python3 openssl curl

WITHIN_MS=$((2000 * SEAL_SLOW))
CLIENTS=$WORK/clients

now_ms() { date +%s%3N; }

# issue NAME PEER: a credential for a client outside; its serial number in SERIALS.
declare -A SERIALS=()
issue() {
	seal cert issue shop --peer "$2" -o "$CLIENTS/$1" >/dev/null
	ln -s "$CLIENTS/$1/cert.pem" "$CLIENTS/$1.pem"
	ln -s "$CLIENTS/$1/key.pem" "$CLIENTS/$1.key"
	SERIALS[$1]=$(openssl x509 -in "$CLIENTS/$1/cert.pem" -noout -serial | cut -d = -f 2 | tr A-F a-f)
}

is_up() { has_line "$WORK/held-$1" ' up$'; }

# hold NAME: a connection through db's sidecar that goes on until it is closed.
hold() {
	start home "held-$1" python3 "$SUPPORT/held.py" db 8443 "$CLIENTS/$1/ca.pem" "$CLIENTS/$1" "$WORK/held-$1"
	wait_for 10 "connection $1" is_up "$1"
}

# ended WHAT SINCE NAME...: these connections were closed, how soon.
ended() {
	local what=$1 since=$2 name at worst=0
	shift 2
	for name in "$@"; do
		wait_for 10 "$what: connection $name to be closed" has_line "$WORK/held-$name" ' closed '
		at=$(sed -n 's/^\([0-9]*\)\.\([0-9]\{3\}\) closed .*/\1\2/p' "$WORK/held-$name")
		[ $((at - since)) -le "$worst" ] || worst=$((at - since))
		wait_exit 10 "held-$name"
	done
	[ "$worst" -le "$WITHIN_MS" ] || fail "$what: a connection lived on for $worst ms"
	say "$what: closed after $worst ms"
}

kept() {
	local name
	for name in "$@"; do
		is_alive "held-$name" && ! has_line "$WORK/held-$name" ' (closed|ended|CORRUPT) ' ||
			fail "connection $name was not kept: $(tail -n 1 "$WORK/held-$name")"
	done
}

# A line through db's sidecar with this certificate; prints what comes back.
meet() {
	(printf 'hello\n'; sleep $((SEAL_SLOW / 2)).4) | timeout 5 openssl s_client -connect db:8443 -CAfile "$CLIENTS/$1/ca.pem" \
		-cert "$CLIENTS/$1.pem" -key "$CLIENTS/$1.key" -tls1_3 "${@:2}" 2>/dev/null || true
}
is_met() { meet "$@" | grep -q '^hello$'; }
expect_met() { is_met "$1" || fail "$1 was not served"; }
expect_refused() { ! is_met "$1" || fail "$1 was served"; }

rot_init
rot_start
seal workload create shop >/dev/null
for client in web ops mail; do
	seal peer allow shop "$client" db >/dev/null
done
mkdir "$CLIENTS"
for name in ops-1 ops-2 ops-3; do issue "$name" ops; done
issue mail mail
for pod in db web-1 web-2; do pod_new "$pod"; done
witness db 6379
sidecar db db --inbound 8443=6379
LOG=$LOGS/proxy-db.log
expect_line "$LOG" 'event=synced'
mint "$WORK/web.egg" shop --peer web
for pod in web-1 web-2; do
	lay_egg "$pod" "$WORK/web.egg"
	proxy_up "$pod" "proxy-$pod" --outbound 6379=db:8443/db
	wait_port "$pod" 6379
	start "$pod" "ticks-$pod" python3 "$SUPPORT/ticker.py" 127.0.0.1 6379 "$WORK/ticks-$pod"
	wait_for 10 "a tick of $pod" test -s "$WORK/ticks-$pod"
done
for name in ops-1 ops-2 ops-3 mail; do hold "$name"; done

say "a pair that is denied"
since=$(now_ms)
seal peer deny shop mail db >/dev/null
ended "pair" "$since" mail
expect_line "$LOG" 'event=connection .*peer="mail" .*not allowed by policy'
kept ops-1 ops-2 ops-3
expect_refused mail
expect_met ops-1

say "a certificate that is revoked, and its session"
meet ops-1 -sess_out "$WORK/session" >"$WORK/first"
meet ops-1 -sess_in "$WORK/session" -sess_out "$WORK/session" >"$WORK/again"
expect_line "$WORK/again" '^Reused, TLSv1.3'
expect_line "$WORK/again" '^hello$'
since=$(now_ms)
expect_exit 1 seal cert revoke "${SERIALS[ops-1]}"
expect_line "$WORK/err" '--yes'
kept ops-1
since=$(now_ms)
seal cert revoke --yes "${SERIALS[ops-1]}" >"$WORK/out"
expect_line "$WORK/out" 'CERTIFICATES ENDED *1'
ended "certificate" "$since" ops-1
expect_line "$LOG" "event=connection .*certificate ${SERIALS[ops-1]} of peer 'ops' is revoked"
kept ops-2 ops-3
meet ops-1 -sess_in "$WORK/session" >"$WORK/again"
expect_no_line "$WORK/again" '^Reused'
expect_no_line "$WORK/again" '^hello$'
expect_refused ops-1
expect_met ops-2
seal cert list shop --state revoked | grep -q "${SERIALS[ops-1]}" || fail "it is not listed as revoked"
seal cert show "${SERIALS[ops-1]}" | grep -q 'STATE *revoked' || fail "it is not shown as revoked"
expect_exit 1 seal cert show 00000000000000000000000000000000

say "an egg, with the two pods that came of it"
egg=$(seal egg show "$WORK/web.egg" -o json | python3 -c 'import json, sys; print(json.load(sys.stdin)["id"])')
since=$(now_ms)
seal egg revoke --yes "$egg" >"$WORK/out"
expect_line "$WORK/out" 'CERTIFICATES ENDED *2'
for pod in web-1 web-2; do
	wait_for 10 "the connection of $pod to be closed" is_gone "ticks-$pod"
done
took=$(($(now_ms) - since))
[ "$took" -le "$WITHIN_MS" ] || fail "egg: a connection lived on for $took ms"
say "egg: closed after $took ms"
for pod in web-1 web-2; do
	wait_for 10 "$pod to hear of it" has_line "$LOGS/proxy-$pod.log" 'event=certificate_withdrawn'
	! is_healthy "$pod" || fail "$pod is ready without a certificate"
done
kept ops-2 ops-3
# Others would not meet them either, had they not heard of it.
[ "$(seal cert list shop --state revoked | grep -c " web ")" = 2 ] || fail "two certificates are to be told of"

say "a peer, with what it has; not what it gets afterwards"
expect_exit 1 seal peer revoke shop ops
since=$(now_ms)
seal peer revoke --yes shop ops >"$WORK/out"
expect_line "$WORK/out" 'CERTIFICATES ENDED *2'
ended "peer" "$since" ops-2 ops-3
expect_refused ops-2
issue ops-4 ops
hold ops-4

say "it stays so when the root of trust starts again, and the sidecar"
stop rot
kept ops-4
rot_start
expect_refused ops-2
expect_met ops-4
stop held-ops-4
stop proxy-db
lay_egg db "$WORK/db.egg" # it went when it had hatched
proxy_up db proxy-db --inbound 8443=6379
for name in ops-1 ops-2 mail; do expect_refused "$name"; done
rm "$WORK/held-ops-4"
hold ops-4

say "a workload that is deleted"
since=$(now_ms)
seal workload delete --yes shop >/dev/null
ended "workload" "$since" ops-4
wait_for 10 "db to hear of it" has_line "$LOG" 'event=certificate_withdrawn'
expect_refused ops-4
seal workload create shop >/dev/null
expect_refused ops-4
