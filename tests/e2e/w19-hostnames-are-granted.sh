#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Weakness 19: HOSTNAMES, which the host controls, named the certificate.  Here it only chooses among what the
# egg's statement grants; anything else is refused.
. "$(dirname "$0")/lib.sh"
need python3 openssl curl

rot_up
mint "$WORK/web.egg" shop --peer web --hostname '*.apps.example.com' --hostname www.example.com
URI=URI:spiffe://seal.test/workload/shop/peer/web

say "by hand: granted names, no names, and everything beside them"
expect_hatched "granted" "$WORK/web.egg" --hostname a.apps.example.com --hostname www.example.com
expect_names "$WORK/hatched/0.pem" DNS:any DNS:web DNS:a.apps.example.com DNS:www.example.com "$URI"
expect_hatched "none" "$WORK/web.egg"
expect_names "$WORK/hatched/0.pem" DNS:any DNS:web "$URI"
for name in evil.com example.com apps.example.com a.b.apps.example.com '*.apps.example.com' www.example.com.evil.com \
	awww.example.com any web db localhost '' 'a.apps.example.com,evil.com' A.apps.example.com; do
	expect_refused "host name '$name'" "$WORK/web.egg" --hostname "$name"
done
expect_refused "one good, one bad" "$WORK/web.egg" --hostname www.example.com --hostname evil.com
expect_refused "the same twice" "$WORK/web.egg" --hostname www.example.com --hostname www.example.com
mint "$WORK/none.egg" shop --peer web
expect_refused "an egg that grants none" "$WORK/none.egg" --hostname www.example.com

say "through the sidecar's variable"
pod_new web
shown_names() {
	python3 "$SUPPORT/tls.py" peek web 8443 >"$WORK/shown.pem"
	names "$WORK/shown.pem"
}
lay_egg web "$WORK/web.egg"
HOSTNAMES=a.apps.example.com,www.example.com proxy_up web proxy-web --inbound 8443=8080
[ "$(shown_names)" = "DNS:a.apps.example.com DNS:any DNS:web DNS:www.example.com $URI" ] || fail "the sidecar shows: $(shown_names)"
stop proxy-web
lay_egg web "$WORK/web.egg"
HOSTNAMES=evil.com proxy_start web proxy-web --inbound 8443=8080
wait_for 30 "the sidecar to be refused" has_line "$LOGS/proxy-web.log" 'refused'
! is_listening web 8443 || fail "listens with a name that was not granted"
