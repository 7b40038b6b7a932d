#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Whoever is not an allowed peer is refused, and the application behind the sidecar does not see one byte of
# the attempt, not even a connection.
. "$(dirname "$0")/lib.sh"
need python3 openssl curl

rot_up
seal workload create bank >/dev/null
seal peer allow bank web db >/dev/null
pod_new web
pod_new db
pod_new other
witness db 6379
sidecar db db --inbound 8443=6379
sidecar web web --outbound 6379=db:8443/db
wait_port web 6379

ask() { on web python3 "$SUPPORT/halfclose.py" 127.0.0.1 6379 <<<'from the application'; }
log_lines() { wc -l <"$LOGS/proxy-db.log"; }

logged_since() { tail -n "+$(($1 + 1))" "$LOGS/proxy-db.log" | grep -E -- "$2" >/dev/null; }

# refused WHAT PATTERN COMMAND...: the command gets nothing, the application sees nothing, the log says why.
refused() {
	local what=$1 pattern=$2 from
	shift 2
	say "$what"
	witness_forget db
	from=$(log_lines)
	if "$@" >"$WORK/out" 2>&1; then
		fail "$what: was answered: $(head -c 200 "$WORK/out")"
	fi
	expect_untouched db
	wait_for 10 "the reason in the log of the sidecar" logged_since "$from" "$pattern"
	[ "$(ask)" = 'from the application' ] || fail "after '$what' the allowed peer no longer gets through"
}

say "the allowed peer gets through"
[ "$(ask)" = 'from the application' ] || fail "the allowed peer does not get through"

issue() { seal cert issue "$1" --peer "$2" -o "$WORK/cert-$1-$2" >/dev/null; }
issue shop cron
issue shop web
issue bank web
present() { on other python3 "$SUPPORT/tls.py" client db 8443 "$WORK/cert-$1-$2/cert.pem" "$WORK/cert-$1-$2/key.pem"; }

egg_certificate() {
	python3 - "$WORK/web.egg" "$WORK" <<-'EOF'
		import os, sys
		sys.path.insert(0, os.environ["TOP"] + "/tests/support")
		import eggs
		egg = eggs.load(sys.argv[1])
		for name in ("cert", "key"):
		    open(f"{sys.argv[2]}/egg-{name}.pem", "w").write(egg[name])
	EOF
	on other python3 "$SUPPORT/tls.py" client db 8443 "$WORK/egg-cert.pem" "$WORK/egg-key.pem"
}

say "a certificate issued for a machine outside counts like a pod's"
present shop web >/dev/null || fail "shop's web from outside is refused"

refused "a peer of the workload that is not allowed" "event=peer_refused.*'cron'" present shop cron
refused "another workload's certificate with the same peer name" 'event=peer_refused.*issuer' present bank web
refused "no certificate" 'event=peer_refused.*certificate' on other python3 "$SUPPORT/tls.py" client db 8443
refused "an egg's certificate" 'event=peer_refused.*issuer' egg_certificate
refused "plaintext" 'event=peer_refused.*(http|TLS)' on other bash -c 'exec 3<>/dev/tcp/db/8443; printf "GET / HTTP/1.0\r\n\r\n" >&3; grep -q HTTP/ <&3'
refused "TLS 1.2" 'event=peer_refused.*protocol' on other bash -c "echo hello | openssl s_client -connect db:8443 -tls1_2 -quiet \
	-cert '$WORK/cert-shop-web/cert.pem' -key '$WORK/cert-shop-web/key.pem' 2>/dev/null | grep -q hello"

say "a sidecar does not call a server it was not allowed to call"
witness_forget db
mint "$WORK/cron.egg" shop --peer cron
lay_egg other "$WORK/cron.egg"
proxy_up other proxy-cron --outbound 6379=db:8443/db
wait_port other 6379
[ -z "$(on other python3 "$SUPPORT/halfclose.py" 127.0.0.1 6379 <<<hello 2>/dev/null)" ] || fail "cron reached db"
expect_untouched db
wait_for 10 "cron's sidecar to say why" has_line "$LOGS/proxy-cron.log" 'level=warn'
stop proxy-cron

say "nor is a client fooled by a server of another workload, or by one without a name it wants"
stop proxy-db
for pair in bank/web shop/cron; do
	pair=${pair/\//-}
	start db "fake-$pair" python3 "$SUPPORT/tls.py" server 8443 "$WORK/cert-$pair/cert.pem" "$WORK/cert-$pair/key.pem" "$WORK/fake-$pair"
	wait_port db 8443
	[ -z "$(ask 2>/dev/null)" ] || fail "the client took $pair for db"
	[ ! -s "$WORK/fake-$pair" ] || fail "$pair saw bytes of the application"
	stop "fake-$pair"
done

# What ends a sidecar: neither of these gets a certificate, so no listener ever opens.
hatch_refused() {
	local what=$1 egg=$2 log=$LOGS/proxy-late.log
	say "$what"
	rm -f "$log"
	lay_egg other "$egg"
	proxy_start other proxy-late --inbound 8443=6379 --outbound 6379=db:8443/db
	wait_for 20 "the sidecar to say that the hatch was refused" has_line "$log" 'level=(warn|error).*(refused|expired)'
	! is_listening other 8443 || fail "$what: listens without an identity"
	! is_listening other 6379 || fail "$what: listens without an identity"
	stop proxy-late
}

mint "$WORK/short.egg" shop --peer web --ttl 1s
sleep 1.5 # what is tested is the passing of time
hatch_refused "an expired egg" "$WORK/short.egg"

mint "$WORK/once.egg" shop --peer web --max-hatches 1
lay_egg other "$WORK/once.egg"
proxy_up other proxy-first --outbound 6379=db:8443/db
stop proxy-first
hatch_refused "a second hatch of an egg that has one" "$WORK/once.egg"

mint "$WORK/revoked.egg" shop --peer web
seal egg revoke "$(seal egg show "$WORK/revoked.egg" -o json | python3 -c 'import json,sys; print(json.load(sys.stdin)["id"])')" --yes >/dev/null
hatch_refused "a revoked egg" "$WORK/revoked.egg"
