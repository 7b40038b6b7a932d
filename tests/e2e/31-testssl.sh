#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# testssl.sh looks at a listener for peers and finds nothing but what tests/support/testssl.py expects.  It has
# no client certificate: what it can see is what a stranger sees.
# Takes: 26 s
. "$(dirname "$0")/lib.sh"
need testssl openssl python3 curl

NAME=db.example.com

rot_up
seal cert issue shop --peer db --hostname "$NAME" -o "$WORK/db" >/dev/null
HOSTS="$HOSTS
127.0.0.1 $NAME"
write_hosts
witness home 8080
start home proxy "$SEAL_BUILD/seal-proxy" --health "$HEALTH" --credentials "$WORK/db" --inbound 127.0.0.1:8444=8080/web
wait_for 20 "the sidecar" is_healthy home

scan_tls peers "$WORK/db/ca.pem" "$NAME" 8444
expect_untouched home
is_alive proxy || fail "the sidecar did not survive the scan"
