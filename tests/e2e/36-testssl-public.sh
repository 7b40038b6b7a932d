#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# testssl.sh looks at a public listener, which also speaks TLS 1.2, and finds nothing but what
# tests/support/testssl.py expects.
# Takes: 42 s
. "$(dirname "$0")/lib.sh"
need testssl openssl python3 curl

NAME=www.example.com

rot_up
seal cert issue shop --peer db -o "$WORK/db" >/dev/null
HOSTS="$HOSTS
127.0.0.1 $NAME"
write_hosts
mkdir -m 0700 "$WORK/public"
(
	cd "$WORK/public"
	openssl ecparam -name prime256v1 -genkey -noout -out ca.key
	openssl req -x509 -new -key ca.key -days 3650 -subj '/CN=A public CA' -out ca.pem \
		-addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
	openssl ecparam -name prime256v1 -genkey -noout -out tls.key
	openssl req -new -key tls.key -subj "/CN=$NAME" -out tls.csr
	printf '%s\n' "subjectAltName=DNS:$NAME" 'basicConstraints=critical,CA:FALSE' 'keyUsage=critical,digitalSignature' \
		'extendedKeyUsage=serverAuth' >tls.ext
	openssl x509 -req -in tls.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 90 -extfile tls.ext -out tls.crt
	chmod 0600 ./*
) >"$LOGS/public.log" 2>&1
witness home 8080
cat >"$WORK/proxy.yaml" <<-EOF2
	public:
	  - listen: 127.0.0.1:8444
	    forward: 127.0.0.1:8080
	    certificate: $WORK/public/tls.crt
	    key: $WORK/public/tls.key
EOF2
start home proxy "$SEAL_BUILD/seal-proxy" --health "$HEALTH" --credentials "$WORK/db" --config "$WORK/proxy.yaml"
wait_for 20 "the sidecar" is_healthy home

scan_tls public "$WORK/public/ca.pem" "$NAME" 8444
is_alive proxy || fail "the sidecar did not survive the scan"
