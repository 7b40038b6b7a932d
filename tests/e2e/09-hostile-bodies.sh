#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Whatever arrives as the body of a hatch gets the same refusal; bodies without end, and bodies that trickle,
# cost the root of trust next to nothing and nobody else anything.
. "$(dirname "$0")/lib.sh"
need python3 openssl
need_vectors json-parsing

rot_up
mint "$WORK/web.egg" shop --peer web
start home hostile python3 "$SUPPORT/hostile_bodies.py" "$WORK/web.egg" "$SEAL_VECTORS/json-parsing" "${PIDS[rot]}" "$SEAL_SLOW"
wait_exit 280 hostile
cat "$LOGS/hostile.log"
[ "$STATUS" = 0 ] || fail "see above"
is_alive rot || fail "seal-rot died"

say "every one of the refusals is explained in the server's log, and none of the bodies is in it"
[ "$(grep -cE 'event=hatch_refused' "$LOGS/rot.log")" -gt 100 ] || fail "hardly any refusal was logged"
[ "$(seal egg show "$(seal egg show "$WORK/web.egg" -o json | python3 -c 'import json,sys; print(json.load(sys.stdin)["id"])')" -o json |
	python3 -c 'import json,sys; print(json.load(sys.stdin)["hatches"])')" = 1 ] || fail "a hostile body hatched something"
