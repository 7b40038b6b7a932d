#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A hatch budget holds under a race: a hundred pods hatch the same egg at the same moment, and exactly as many
# certificates exist as the egg allows.
. "$(dirname "$0")/lib.sh"
need python3 openssl jq

rot_up

race() {
	local budget=$1 racers=$2 egg=$WORK/race-$1.egg id
	say "$racers racers, a budget of $budget"
	mint "$egg" shop --peer web --max-hatches "$budget"
	python3 "$SUPPORT/hatch.py" --count "$racers" --out "$WORK/race-$budget" "$egg" >"$WORK/counts" 2>"$WORK/said"
	cat "$WORK/counts" >&2
	[ "$(awk '$1 == 200 { print $2 }' "$WORK/counts")" = "$budget" ] || fail "not exactly $budget certificates"
	[ "$(awk '$1 == 403 { print $2 }' "$WORK/counts")" = $((racers - budget)) ] || fail "not every other one was refused"
	[ "$(find "$WORK/race-$budget" -name '*.pem' | wc -l)" = "$budget" ] || fail "other than $budget certificates came out"
	[ "$(wc -l <"$WORK/said")" = 1 ] || fail "refusals differ: $(cat "$WORK/said")"
	id=$(seal egg show "$egg" -o json | jq -r .id)
	[ "$(seal egg show "$id" -o json | jq -r '"\(.hatches) \(.state)"')" = "$budget spent" ] ||
		fail "the root of trust counts: $(seal egg show "$id" -o json)"
}

race 1 100
race 7 100
[ "$(seal workload show shop -o json | jq .certificates)" = 8 ] || fail "there are not exactly 8 certificates on record"

say "the count survives a restart"
stop rot
rot_start
python3 "$SUPPORT/hatch.py" --count 3 "$WORK/race-1.egg" >"$WORK/counts" 2>/dev/null
[ "$(cat "$WORK/counts")" = "403 3" ] || fail "a spent egg hatched after a restart: $(cat "$WORK/counts")"
