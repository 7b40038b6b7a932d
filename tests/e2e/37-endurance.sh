#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Mixed traffic through two sidecars, with reloads and renewals, for as long as one likes: memory, descriptors and
# threads stay where they are.  SOAK_SECONDS, 36 by default, with a look each second; "make soak" takes an hour,
# with a look each minute.
# Takes: 37 s
. "$(dirname "$0")/lib.sh"
need python3

seconds=${SOAK_SECONDS:-36}
every=$((seconds >= 1200 ? 60 : (seconds + 59) / 60))

rot_up
for who in web db caller stranger; do
	peer=$who
	[ "$who" != caller ] || peer=web
	seal cert issue shop --peer "$peer" -o "$WORK/$who" >/dev/null
done
printf 'inbound:\n  - {listen: "127.0.0.1:18443", forward: "127.0.0.1:6379", peers: [web]}\n' >"$WORK/db.yaml"
witness home 6379 silent
start home proxy-db "$SEAL_BUILD/seal-proxy" --credentials "$WORK/db" --config "$WORK/db.yaml" --control "unix:$WORK/db.sock"
start home proxy-web "$SEAL_BUILD/seal-proxy" --credentials "$WORK/web" --control "unix:$WORK/web.sock" \
	--outbound 127.0.0.1:7000=127.0.0.1:18443/db
wait_port home 7000
wait_port home 18443

say "$seconds s of mixed traffic"
start home endure python3 "$SUPPORT/endure.py" "$WORK" "$seconds" "$every" "${PIDS[proxy-web]}" "${PIDS[proxy-db]}"
wait_exit $((seconds + 120)) endure
cat "$LOGS/endure.log"
[ "$STATUS" = 0 ] || fail "see above"
say "and both end in order"
for who in web db; do
	is_alive "proxy-$who" || fail "$who's sidecar is gone: $(tail -n 3 "$LOGS/proxy-$who.log")"
	stop "proxy-$who"
	[ "$STATUS" = 0 ] || fail "$who's sidecar ended with $STATUS"
done
