#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Weakness 16: every pod got every raw key, so that one pod could read all.  Here keys are derived for a purpose and a
# peer, and a pod gets its own.
. "$(dirname "$0")/lib.sh"
need python3 openssl jq

rot_up
seal workload create mall >/dev/null
keys_of() { # keys_of WORKLOAD PEER
	rm -f "$WORK/one.egg"
	seal egg mint "$1" --peer "$2" -o "$WORK/one.egg" >/dev/null
	python3 "$SUPPORT/hatch.py" --credentials "$WORK/credentials.json" "$WORK/one.egg" >/dev/null
	jq -r '.keys[] | "\(.id) \(.key)"' "$WORK/credentials.json"
}

say "only keys of its own workload and peer"
keys_of shop web >"$WORK/web"
keys_of shop db >"$WORK/db"
keys_of mall web >"$WORK/mall"
for row in "web shop/[a-z]+/web/" "db shop/[a-z]+/db/" "mall mall/[a-z]+/web/"; do
	read -r file pattern <<<"$row"
	[ -s "$WORK/$file" ] || fail "no keys at all"
	! grep -vE "^$pattern" "$WORK/$file" || fail "a key of another in $file"
done

say "and no two alike"
cat "$WORK/web" "$WORK/db" "$WORK/mall" | awk '{ print $2 }' | sort | uniq -d | grep -q . && fail "two names, one key"

say "a new generation, and the old one until it is retired"
seal workload rotate-key shop >/dev/null
keys_of shop web >"$WORK/rotated"
grep -q '^shop/config/web/1 ' "$WORK/rotated" || fail "the old generation is gone already"
grep -q '^shop/config/web/2 ' "$WORK/rotated" || fail "the new generation is not there"
grep -F -f "$WORK/web" "$WORK/rotated" | cmp - "$WORK/web" || fail "the old keys changed"
seal workload rotate-key shop --switch --force >/dev/null # the pods that had the first keys are gone
seal workload retire-key shop 1 --yes >/dev/null
keys_of shop web >"$WORK/retired"
! grep -q '/1 ' "$WORK/retired" || fail "the retired generation is still handed out"
expect_exit 1 seal workload retire-key shop 2 --yes
