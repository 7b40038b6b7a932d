#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Certificates are renewed long before they end: a new key each time, connections survive the change, and an
# outage of the root of trust is made up for.  The lifetime is the shortest the root of trust issues.
# Takes: 85 s
. "$(dirname "$0")/lib.sh"
need python3 openssl curl

rot_init
ROT_OPTIONS=(--lifetime 60s)
rot_start "${ROT_OPTIONS[@]}"
seal workload create shop >/dev/null
seal peer allow shop web db >/dev/null
pod_new web
pod_new db
witness db 6379
sidecar db db --inbound 8443=6379
sidecar web web --outbound 6379=db:8443/db
wait_port web 6379

# What the sidecar of db shows to the network: "SPKI SERIAL".
shown() {
	on web python3 "$SUPPORT/tls.py" peek db 8443 >"$WORK/shown.pem" || return 1
	printf '%s %s\n' "$(openssl x509 -in "$WORK/shown.pem" -noout -pubkey | sha256sum | cut -c 1-32)" \
		"$(openssl x509 -in "$WORK/shown.pem" -noout -serial)"
}
renewed_since() {
	local now
	now=$(shown) && [ "$now" != "$1" ]
}

say "a connection that stays open through everything that follows"
start web long-connection python3 "$SUPPORT/ticker.py" 127.0.0.1 6379 "$WORK/ticks"
wait_for 10 "the first tick" test -s "$WORK/ticks"

first=$(shown)
say "the first renewal: a new certificate, a new key"
wait_for 75 "the first renewal" renewed_since "$first"
second=$(shown)
[ "${first% serial*}" != "${second% serial*}" ] || fail "the key was kept over a renewal"

say "the root of trust is away when the second is due, and comes back"
stop rot
wait_for 75 "db's sidecar to say that it could not renew" has_line "$LOGS/proxy-db.log" 'level=warn.*(renew|rot)'
rot_start "${ROT_OPTIONS[@]}"
wait_for 60 "the second renewal" renewed_since "$second"
third=$(shown)
[ "${second% serial*}" != "${third% serial*}" ] || fail "the key was kept over a renewal"

say "the old connection is the same one, and new ones are let in"
is_alive long-connection || fail "the long connection broke: $(tail -n 2 "$LOGS/long-connection.log")"
ticks=$(wc -l <"$WORK/ticks")
wait_for 10 "another tick" eval "[ \$(wc -l <'$WORK/ticks') -gt $ticks ]"
# web's own sidecar may still be between two attempts, and serves nobody without a certificate.
a_new_connection() { [ "$(on web python3 "$SUPPORT/halfclose.py" 127.0.0.1 6379 <<<hello 2>/dev/null)" = hello ]; }
wait_for 60 "a new connection after renewals" a_new_connection
[ "$(grep -o '<connection>' "$WORK/witness-db" | wc -l)" = 2 ] || fail "not exactly two connections were seen"
