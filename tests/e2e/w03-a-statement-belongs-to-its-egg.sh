#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Weakness 3: the client certificate was never tied to the statement.  Here the certificate of one egg with the
# statement of another is refused, in every combination, and spends nothing of either's budget.
. "$(dirname "$0")/lib.sh"
need python3 openssl jq

rot_up
seal workload create bank >/dev/null
mint "$WORK/web.egg" shop --peer web --max-hatches 1
mint "$WORK/db.egg" shop --peer db --max-hatches 1
mint "$WORK/twin.egg" shop --peer web --max-hatches 1
mint "$WORK/bank.egg" bank --peer web --max-hatches 1
eggs="web db twin bank"
for mine in $eggs; do
	for theirs in $eggs; do
		[ "$mine" = "$theirs" ] ||
			expect_refused "egg $mine with the statement of $theirs" "$WORK/$mine.egg" --statement-of "$WORK/$theirs.egg"
	done
done
say "nothing was spent"
for egg in $eggs; do
	[ "$(seal egg show "$(egg_id "$WORK/$egg.egg")" -o json | jq .hatches)" = 0 ] || fail "a refused hatch of $egg was counted"
	expect_hatched "$egg with its own" "$WORK/$egg.egg"
done
