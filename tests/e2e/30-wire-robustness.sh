#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A network that is badly behaved, at both sides of a handshake and after it: mutated hellos, stalls at each
# step, cuts inside records, floods of records that say nothing, single bytes, half-closes, bulk.  No stranger
# reaches the application, nothing that was cut off looks like an end, honest clients are served, and nothing
# grows.  256 MiB in bulk and 2,000 mutants; 10 GiB and 20,000 with SEAL_LONG.
# Takes: 20 s
. "$(dirname "$0")/lib.sh"
need python3 curl openssl

rot_up
seal cert issue shop --peer web -o "$WORK/web" >/dev/null
seal cert issue shop --peer db -o "$WORK/db" >/dev/null
start home proxy-db "$SEAL_BUILD/seal-proxy" --health 9901 --credentials "$WORK/db" --inbound 127.0.0.1:8444=8080/web
start home proxy-web "$SEAL_BUILD/seal-proxy" --health 9902 --credentials "$WORK/web" \
	--outbound 7000=127.0.0.1:8444/db --outbound 7001=127.0.0.1:9443/db
for port in 9901 9902; do
	HEALTH=127.0.0.1:$port wait_for 20 "the sidecar at $port" is_healthy home
done

limit=200
[ -z "${SEAL_LONG:-}" ] || limit=3600
start home wire python3 "$SUPPORT/wire.py" "$WORK/web" "$WORK/db" "$TOP/tests/fuzz/corpus/hello" \
	"${PIDS[proxy-db]}" "${PIDS[proxy-web]}" "$@"
wait_exit "$limit" wire
cat "$LOGS/wire.log"
[ "$STATUS" = 0 ] || fail "see above"

for name in proxy-db proxy-web; do
	stop "$name"
	[ "$STATUS" = 0 ] || fail "$name ended with $STATUS"
done
