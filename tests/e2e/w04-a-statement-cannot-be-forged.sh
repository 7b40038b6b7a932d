#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Weakness 4: statements were encrypted without authentication, and errors told the attacker how close he was.
# Here every altered statement gets the same answer, byte for byte, and attempts are limited.
. "$(dirname "$0")/lib.sh"
need python3 openssl

rot_up
mint "$WORK/web.egg" shop --peer web
say "every kind of alteration, one answer"
python3 "$SUPPORT/forge.py" "$WORK/web.egg" >"$LOGS/forge.log" 2>&1 || fail "$(tail -n 3 "$LOGS/forge.log")"
cat "$LOGS/forge.log"
say "the reason is in the server's log only, and every refusal is accounted for: a line of its own, or counted by the next line"
refusals=$(sed -n 's/^\([0-9]*\) refusals.*/\1/p' "$LOGS/forge.log")
accounted=$(awk '/event=hatch_refused/ { lines++; sub(/.* not_logged=/, ""); missed += $1 } END { print lines + missed }' "$LOGS/rot.log")
[ "$accounted" = "$refusals" ] || fail "$refusals refusals, of which the log accounts for $accounted"
