#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Weakness 7: a checksum over the reference was the only integrity, so that flipped bits were accepted.  Here every
# changed letter of a sealed value is refused where it is opened.  (All bits of five values: unit tests.)
. "$(dirname "$0")/lib.sh"
. "$SUPPORT/sealed.sh"
need curl
small_up
small_starts "the control"

say "a file, a variable, the specification of a container"
for where in ConfigMap/settings/one Secret/settings/one spec/app; do
	for letter in 3 40 -30 -1; do
		tamper flip "$where" "$letter"
		small_refused "$where, letter $letter" 'sealed value|JWE' "$WORK/tampered.yaml"
	done
done

say "the listeners"
stop proxy-web
for letter in 3 40 -30 -1; do
	tamper flip spec/seal-proxy "$letter"
	lay_sidecar_egg web "$WORK/eggs/web"
	sidecar_start web "$WORK/tampered.yaml" web
	wait_exit 30 proxy-web
	[ "$STATUS" = 1 ] || fail "with letter $letter changed the sidecar ended with $STATUS"
done
