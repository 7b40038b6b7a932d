#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Every identity of the mtls-identities vectors plays a real handshake against seal-proxy, as client and as
# server: what must be refused is refused before one byte reaches an application, with the reason in the log;
# what must be accepted is accepted.
. "$(dirname "$0")/lib.sh"
need python3 curl
need_vectors mtls-identities

DIR=$SEAL_VECTORS/mtls-identities
mkdir -m 0700 "$WORK/credentials"
install -m 0600 "$DIR/workload-ca.pem" "$WORK/credentials/ca.pem"
install -m 0600 "$DIR/good-any-web.pem" "$WORK/credentials/cert.pem"
install -m 0600 "$DIR/good-any-web.key" "$WORK/credentials/key.pem"
start home proxy "$SEAL_BUILD/seal-proxy" --health "$HEALTH" --credentials "$WORK/credentials" \
	--inbound 8443=8080/any,web,db --outbound 7000=127.0.0.1:9443/any,web,db
wait_for 20 "the sidecar" is_healthy home

start home identities python3 "$SUPPORT/identities.py" "$DIR" 8443 8080 7000 9443 "$WORK/verdicts"
wait_exit 400 identities
[ "$STATUS" = 0 ] || fail "not every identity got its verdict"
cat "$WORK/verdicts"

is_alive proxy || fail "seal-proxy died on the way"
is_healthy home || fail "seal-proxy is no longer ready"
wanted=$(awk -F '\t' '$2 == "reject" || $3 == "reject"' "$DIR/INDEX.tsv" | wc -l)
logged=$(grep -cE 'event=peer_refused' "$LOGS/proxy.log" || true)
[ "$logged" -ge "$wanted" ] || fail "$wanted identities are refused, $logged refusals are logged"
expect_no_line "$LOGS/proxy.log" 'reason=""'
