#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Thousands of connections through two sidecars, one after the other and side by side, some cut off in the
# middle: neither descriptors nor memory grow.  2,000 connections; 10,000 with SEAL_LONG.
. "$(dirname "$0")/lib.sh"
need python3 curl

total=4000
[ -z "${SEAL_LONG:-}" ] || total=10000

rot_up
pod_new web
pod_new db
witness db 6379 silent
sidecar db db --inbound 8443=6379
sidecar web web --outbound 6379=db:8443/db
wait_port web 6379

start web soak python3 "$SUPPORT/soak.py" 127.0.0.1 6379 "$total" "${PIDS[proxy-web]}" "${PIDS[proxy-db]}" "$SEAL_SLOW"
wait_exit 280 soak
cat "$LOGS/soak.log"
[ "$STATUS" = 0 ] || fail "see above"
say "and both ended in order"
stop proxy-web
[ "$STATUS" = 0 ] || fail "web's sidecar ended with $STATUS"
stop proxy-db
[ "$STATUS" = 0 ] || fail "db's sidecar ended with $STATUS"
