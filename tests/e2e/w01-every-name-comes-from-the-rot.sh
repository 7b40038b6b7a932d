#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Weakness 1: names of a certificate were put together before they were known, and an empty one matched all.
# Here the root of trust writes every name from the egg's statement; empty and reserved ones do not exist.
. "$(dirname "$0")/lib.sh"
need python3 openssl curl

rot_up
URI=URI:spiffe://seal.test/workload/shop/peer

say "with a peer name, without one, and with host names: exactly these names"
mint "$WORK/web.egg" shop --peer web
expect_hatched "web" "$WORK/web.egg"
expect_names "$WORK/hatched/0.pem" DNS:any DNS:web "$URI/web"
mint "$WORK/any.egg" shop
expect_hatched "any" "$WORK/any.egg"
expect_names "$WORK/hatched/0.pem" DNS:any "$URI/any"
mint "$WORK/host.egg" shop --peer web --hostname a.example.com
expect_hatched "host" "$WORK/host.egg" --hostname a.example.com
expect_names "$WORK/hatched/0.pem" DNS:a.example.com DNS:any DNS:web "$URI/web"

say "empty and reserved names are refused by the command and by the API beneath it"
api() { curl -sS -o "$WORK/reply" -w '%{http_code}' --unix-socket "$ROT_DIR/rot.sock" -H 'Content-Type: application/json' -d "$2" "http://rot$1"; }
csr=$(openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout /dev/null -subj /CN=x 2>/dev/null | awk '{ printf "%s\\n", $0 }')
[ "$(api /v1/eggs "{\"workload\":\"shop\",\"peer\":\"web\",\"csr\":\"$csr\"}")" = 201 ] || fail "the control was refused: $(cat "$WORK/reply")"
for peer in '' rot init admin ci egg localhost ' ' '*' 'web,db' 'web\u0000' 'a.b' 'WEB' '-web' 'web-'; do
	for path in /v1/eggs /v1/certs; do
		status=$(api "$path" "{\"workload\":\"shop\",\"peer\":\"$peer\",\"csr\":\"$csr\"}")
		[ "$status" = 400 ] || fail "$path with peer '$peer': $status $(cat "$WORK/reply")"
	done
	[ "$peer" = '*' ] || [ "$(api /v1/peers "{\"workload\":\"shop\",\"client\":\"$peer\",\"server\":\"db\"}")" = 400 ] ||
		fail "'$peer' became a side of a pair"
done
for hostname in '' any web '*' '*.com' localhost; do
	status=$(api /v1/certs "{\"workload\":\"shop\",\"peer\":\"web\",\"hostnames\":[\"$hostname\"],\"csr\":\"$csr\"}")
	[ "$status" = 400 ] || fail "host name '$hostname' was granted: $status"
done
