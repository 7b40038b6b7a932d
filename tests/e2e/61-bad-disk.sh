#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A disk that is full, one whose calls fail, and a store whose bytes have changed: what was acknowledged is there
# afterwards, what cannot be done is said (503, and the reason in the log), and nothing is served that is not so.
# With SEAL_LONG more of all of it.
# Takes: 25 s
. "$(dirname "$0")/lib.sh"
need python3 cc mount

seed=${SEAL_SEED:-$RANDOM} rounds=1 seconds=0.4 flips=25
[ -z "${SEAL_LONG:-}" ] || rounds=2 seconds=2 flips=200
flips=${SEAL_FLIPS:-$flips}

# campaign NAME SECONDS OPTION...
campaign() {
	local name=$1 limit=$2
	shift 2
	start home "$name" python3 "$SUPPORT/bad_disk.py" "$name" --rot "$SEAL_BUILD/seal-rot" --dir "$ROT_DIR" --port "$ROT_PORT" \
		--log "$LOGS/rot-$name.log" --seed "$seed" "$@"
	wait_exit "$limit" "$name"
	cat "$LOGS/$name.log"
	[ "$STATUS" = 0 ] || fail "$name: see above"
}

say "the disk is full"
mkdir "$WORK/small"
mount -t tmpfs -o size=1500k,mode=0700 small-disk "$WORK/small"
ROT_DIR=$WORK/small/rot
rot_init
campaign full 120

say "calls fail"
cc -shared -fPIC -O1 -o "$WORK/baddisk.so" "$SUPPORT/baddisk.c" -ldl -pthread
ROT_DIR=$WORK/failing
rot_init
campaign errors $((90 + rounds * 60)) --library "$WORK/baddisk.so" --rounds "$rounds" --seconds "$seconds"

say "bytes change"
ROT_DIR=$WORK/changed
rot_init
campaign flips $((60 + flips * 2)) --flips "$flips"
