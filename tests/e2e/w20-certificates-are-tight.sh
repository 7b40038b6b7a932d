#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Weakness 20: RSA-2048, a CA without constraints, no floor for TLS.  Here: P-256, path length 0, critical key
# usage, one purpose where one is enough, bounded lifetimes, and TLS 1.3 only on every port.
. "$(dirname "$0")/lib.sh"
need python3 openssl curl jq

rot_up
pod_new db
witness db 6379
sidecar db db --inbound 8443=6379
seal cert issue shop --peer web -o "$WORK/web" >/dev/null
seal status -o json | jq -r .ca >"$WORK/system.pem"
seal workload show shop -o json | jq -r .ca_bundle >"$WORK/shop.pem"
python3 - "$WORK/db.egg" "$WORK/egg.pem" <<-'EOF'
	import os, sys
	sys.path.insert(0, os.environ["TOP"] + "/tests/support")
	import eggs
	open(sys.argv[2], "w").write(eggs.load(sys.argv[1])["cert"])
EOF

# tight PEM USAGE CONSTRAINTS EXTENDED
tight() {
	say "$1"
	openssl x509 -in "$WORK/$1.pem" -noout -text -certopt no_sigdump >"$WORK/text"
	expect_line "$WORK/text" 'Version: 3'
	expect_line "$WORK/text" 'NIST CURVE: P-256'
	expect_line "$WORK/text" 'Signature Algorithm: ecdsa-with-SHA256'
	grep -A1 'X509v3 Key Usage: critical' "$WORK/text" | tail -n 1 | tr -d ' ' >"$WORK/usage"
	expect_line "$WORK/usage" "^$2\$"
	grep -A1 'X509v3 Basic Constraints: critical' "$WORK/text" | tail -n 1 | tr -d ' ' >"$WORK/constraints"
	expect_line "$WORK/constraints" "^$3\$"
	if [ -n "$4" ]; then
		grep -A1 'X509v3 Extended Key Usage' "$WORK/text" | tail -n 1 | sed 's/^ *//' >"$WORK/extended"
		expect_line "$WORK/extended" "^$4\$"
	else
		expect_no_line "$WORK/text" 'Extended Key Usage'
	fi
	! openssl x509 -in "$WORK/$1.pem" -noout -checkend $((11 * 366 * 86400)) >/dev/null || fail "$1 outlives eleven years"
}
BOTH='TLS Web Server Authentication, TLS Web Client Authentication'
tight system CertificateSign 'CA:TRUE,pathlen:0' ''
tight shop CertificateSign 'CA:TRUE,pathlen:0' ''
tight egg DigitalSignature CA:FALSE 'TLS Web Client Authentication'
cp "$WORK/web/cert.pem" "$WORK/outside.pem"
tight outside DigitalSignature CA:FALSE "$BOTH"
expect_hatched "a pod" "$WORK/db.egg"
cp "$WORK/hatched/0.pem" "$WORK/pod.pem"
tight pod DigitalSignature CA:FALSE "$BOTH"
! openssl x509 -in "$WORK/pod.pem" -noout -checkend 86401 >/dev/null || fail "a pod's certificate lives for more than a day"

say "TLS 1.3 and nothing below, on the sidecar's port and the root of trust's"
for port in "db:8443" "$ROT_HOST:$ROT_PORT"; do
	for version in -tls1 -tls1_1 -tls1_2; do
		! openssl s_client -connect "$port" "$version" -cipher 'ALL:@SECLEVEL=0' -cert "$WORK/web/cert.pem" -key "$WORK/web/key.pem" \
			</dev/null >"$WORK/out" 2>&1 || fail "$port speaks $version"
	done
	openssl s_client -connect "$port" -tls1_3 -cert "$WORK/web/cert.pem" -key "$WORK/web/key.pem" </dev/null >"$WORK/out" 2>&1 || true
	expect_line "$WORK/out" 'TLSv1.3'
	expect_line "$WORK/out" 'Acceptable client certificate CA names|Client Certificate Types|Requested Signature Algorithms'
done
say "keys that are not P-256 are not certified"
for kind in "rsa:2048" "rsa:1024" "ec -pkeyopt ec_paramgen_curve:secp256k1" "ed25519"; do
	# shellcheck disable=SC2086
	openssl req -new -newkey $kind -nodes -keyout /dev/null -subj /CN=x -out "$WORK/odd.csr" 2>/dev/null
	body=$(jq -n --arg csr "$(cat "$WORK/odd.csr")" '{workload: "shop", peer: "web", csr: $csr}')
	status=$(curl -sS -o /dev/null -w '%{http_code}' --unix-socket "$ROT_DIR/rot.sock" -d "$body" http://rot/v1/certs)
	[ "$status" = 400 ] || fail "a certificate for $kind: $status"
done
