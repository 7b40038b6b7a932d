#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Weakness 15: eggs had no number, no end and could not be taken back, so that a stolen one was for ever.  Here
# they have an id, an expiry, a budget and can be revoked, and the file is gone from the pod after the hatch.
. "$(dirname "$0")/lib.sh"
need python3 openssl jq curl

rot_up
state() { seal egg show "$(egg_id "$1")" -o json | jq -r .state; }

say "each has an id of its own"
mint "$WORK/a.egg" shop --peer web
mint "$WORK/b.egg" shop --peer web
[ "$(egg_id "$WORK/a.egg")" != "$(egg_id "$WORK/b.egg")" ] || fail "two eggs, one id"
[ "$(seal egg list shop -o json | jq '.eggs | length')" = 2 ] || fail "the list does not show both"

say "it can be revoked, for hatching"
expect_hatched "before" "$WORK/a.egg"
seal egg revoke "$(egg_id "$WORK/a.egg")" --yes >/dev/null
expect_refused "revoked" "$WORK/a.egg"
[ "$(state "$WORK/a.egg")" = revoked ] || fail "the state is $(state "$WORK/a.egg")"
expect_hatched "the other one" "$WORK/b.egg"

say "and for the pods that came from it: no renewal"
python3 "$SUPPORT/renew.py" "$WORK/b.egg" >"$WORK/renewed"
[ "$(cat "$WORK/renewed")" = "hatched 200, renewed 200" ] || fail "the control: $(cat "$WORK/renewed")"
python3 "$SUPPORT/renew.py" "$WORK/b.egg" "$SEAL_BUILD/seal" egg revoke "$(egg_id "$WORK/b.egg")" --yes --dir "$ROT_DIR" >"$WORK/renewed"
[ "$(cat "$WORK/renewed")" = "hatched 200, renewed 403" ] || fail "after revocation: $(cat "$WORK/renewed")"

say "it ends by itself"
mint "$WORK/short.egg" shop --peer web --ttl 2s
expect_hatched "in time" "$WORK/short.egg"
is_expired() { [ "$(state "$WORK/short.egg")" = expired ]; }
wait_for 10 "the egg to expire" is_expired
got=$(hatch "$WORK/short.egg" || true)
[ "$got" != "200 1" ] || fail "an expired egg hatched"

say "it has a budget"
mint "$WORK/twice.egg" shop --peer web --max-hatches 2
expect_hatched "first" "$WORK/twice.egg"
expect_hatched "second" "$WORK/twice.egg"
expect_refused "third" "$WORK/twice.egg"
[ "$(state "$WORK/twice.egg")" = spent ] || fail "the state is $(state "$WORK/twice.egg")"

say "it is gone from the pod's disk after the hatch, and not before"
pod_new web
mint "$WORK/web.egg" shop --peer web
lay_egg web "$WORK/web.egg"
stop rot
proxy_start web proxy-web --outbound 6379=db:8443/db
wait_for 30 "the sidecar to miss the root of trust" has_line "$LOGS/proxy-web.log" 'level=warn'
[ -e "$(pod_path web /etc/seal/egg)" ] || fail "the egg was removed before it hatched"
rot_start
wait_for 60 "the sidecar" is_healthy web
[ ! -e "$(pod_path web /etc/seal/egg)" ] || fail "the egg is still there"
