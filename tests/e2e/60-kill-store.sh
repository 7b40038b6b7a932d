#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# kill -9 of seal-rot at random moments while eggs are minted, hatched and revoked, certificates revoked, policy changed
# and values sealed: afterwards whatever was acknowledged is there, nothing is there by half, no hatch budget was
# exceeded, and no generation or epoch went back or came twice.  25 kills; 1,000 with SEAL_LONG (or SEAL_KILLS).
# Takes: 25 s
. "$(dirname "$0")/lib.sh"
need python3 openssl sqlite3

kills=25
[ -z "${SEAL_LONG:-}" ] || kills=1000
kills=${SEAL_KILLS:-$kills}

rot_init
start home kills python3 "$SUPPORT/kill_store.py" --rot "$SEAL_BUILD/seal-rot" --dir "$ROT_DIR" --port "$ROT_PORT" \
	--kills "$kills" --log "$LOGS/rot.log" --seed "${SEAL_SEED:-$RANDOM}"
wait_exit $((60 + kills * 4)) kills
tail -n 5 "$LOGS/kills.log"
[ "$STATUS" = 0 ] || fail "the record does not agree with what was acknowledged"

say "the store is sound"
for store in "$ROT_DIR"/*.db; do
	[ "$(sqlite3 "$store" 'PRAGMA integrity_check')" = ok ] || fail "$store is damaged"
done
