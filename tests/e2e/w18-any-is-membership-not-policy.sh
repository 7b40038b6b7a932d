#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Weakness 18: the name "any" admitted everybody, and clients were allowed as servers.  Here "any" only says "of
# this workload": who may call whom is denied until a pair says so, and pairs have a direction.
. "$(dirname "$0")/lib.sh"
need python3 openssl curl

rot_init
rot_start
seal workload create shop >/dev/null
for name in web db loner; do pod_new "$name"; done
witness web 6000
witness db 6000
witness loner 6000

# Sidecars learn their peers at the hatch: each round starts them anew.
round() {
	local name
	for name in web db loner; do
		[ -z "${PIDS[proxy-$name]:-}" ] || stop "proxy-$name"
	done
	sidecar web web --inbound 8443=6000 --outbound 7001=db:8443 --outbound 7002=loner:8443
	sidecar db db --inbound 8443=6000 --outbound 7000=web:8443 --outbound 7002=loner:8443
	mint "$WORK/loner.egg" shop
	lay_egg loner "$WORK/loner.egg"
	proxy_up loner proxy-loner --inbound 8443=6000 --outbound 7000=web:8443 --outbound 7001=db:8443
}
calls() {
	local from=$1 port=$2 to=$3
	witness_forget "$to"
	[ "$(on "$from" python3 "$SUPPORT/halfclose.py" 127.0.0.1 "$port" <<<hello 2>/dev/null)" = hello ]
}
may() { calls "$@" || fail "$1 cannot call $3"; }
may_not() {
	! calls "$@" || fail "$1 can call $3"
	expect_untouched "$3"
}

say "a new workload: peers with names talk to nobody, in no direction"
round
may_not web 7001 db
may_not db 7000 web
may_not web 7002 loner
may_not loner 7000 web
may_not loner 7001 db

say "a pair opens one direction only, and nothing for others"
seal peer allow shop web db >/dev/null
round
may web 7001 db
may_not db 7000 web
may_not loner 7001 db
may_not web 7002 loner

say "the name any in the certificate of a named peer does not make it the peer any"
seal peer allow shop any db >/dev/null
seal peer deny shop web db >/dev/null
round
may loner 7001 db
may_not web 7001 db

say "the server decides for itself: a client whose own sidecar lets it call is still refused"
seal cert issue shop --peer web -o "$WORK/outside" >/dev/null
witness_forget db
start loner outside "$SEAL_BUILD/seal-proxy" --credentials "$WORK/outside" --outbound 7100=db:8443/db
wait_port loner 7100
may_not loner 7100 db

say "the control: once every pair is allowed, every one of these calls gets through"
seal peer allow shop '*' '*' >/dev/null
round
may web 7001 db
may web 7002 loner
may db 7000 web
may db 7002 loner
may loner 7000 web
may loner 7001 db
