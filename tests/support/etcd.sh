#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# etcd.sh DIR [MEMBERS]: real etcd over TLS on the loopback, for as long as our standard input stays open; DIR and all
# that is in it goes with us.  When all members answer, DIR/ready appears, with lines NAME=VALUE:
#   endpoints  https://127.0.0.1:PORT,...      pids  of the members, in the same order
# and beside it are ca.pem, cert.pem and key.pem for clients.  Exits with 77 where there is no etcd.
#   SEAL_ETCD_PKI      the DIR of another one, whose certificates are used
#   SEAL_ETCD_OPTIONS  for etcd
set -euo pipefail
DIR=$1 MEMBERS=${2:-1}
command -v etcd >/dev/null && command -v openssl >/dev/null && command -v python3 >/dev/null || exit 77

PIDS=()
finish() {
	for pid in "${PIDS[@]}"; do
		kill -CONT "$pid" 2>/dev/null || true
		kill -KILL "$pid" 2>/dev/null || true
	done
	rm -rf "$DIR"
}
trap finish EXIT
mkdir -p "$DIR"
chmod 700 "$DIR"
cd "$DIR"
umask 077

key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1" 2>/dev/null; }
# certificate NAME: by our CA, for both ends of a connection: the gateway is a client of its own server
certificate() {
	key "$1-key.pem"
	openssl req -new -key "$1-key.pem" -subj "/CN=$1" -out "$1.csr"
	openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca-key.pem -CAcreateserial -days 2 -out "$1-cert.pem" \
		-extfile <(echo 'subjectAltName=IP:127.0.0.1
extendedKeyUsage=serverAuth,clientAuth') 2>/dev/null
}
if [ -n "${SEAL_ETCD_PKI:-}" ]; then
	cp "$SEAL_ETCD_PKI"/*.pem .
else
	key ca-key.pem
	openssl req -x509 -new -key ca-key.pem -subj '/CN=etcd tests' -days 2 -out ca.pem
	certificate server
	certificate client
	mv client-key.pem key.pem
	mv client-cert.pem cert.pem
fi
mapfile -t PORTS < <(python3 - $((2 * MEMBERS)) <<-'EOF_PY'
	import socket, sys
	held = [socket.create_server(("127.0.0.1", 0)) for _ in range(int(sys.argv[1]))]
	for one in held:
	    print(one.getsockname()[1])
EOF_PY
)
cluster='' endpoints=''
for ((i = 0; i < MEMBERS; i++)); do
	cluster+=${cluster:+,}m$i=https://127.0.0.1:${PORTS[2 * i + 1]}
	endpoints+=${endpoints:+,}https://127.0.0.1:${PORTS[2 * i]}
done
tls=(--cert-file=server-cert.pem --key-file=server-key.pem --trusted-ca-file=ca.pem --client-cert-auth
	--peer-cert-file=server-cert.pem --peer-key-file=server-key.pem --peer-trusted-ca-file=ca.pem --peer-client-cert-auth)
for ((i = 0; i < MEMBERS; i++)); do
	client=https://127.0.0.1:${PORTS[2 * i]} peer=https://127.0.0.1:${PORTS[2 * i + 1]}
	etcd --name "m$i" --data-dir "m$i" --logger=zap "${tls[@]}" --listen-client-urls "$client" --advertise-client-urls "$client" \
		--listen-peer-urls "$peer" --initial-advertise-peer-urls "$peer" --initial-cluster "$cluster" \
		--initial-cluster-token "$DIR" ${SEAL_ETCD_OPTIONS:-} </dev/null >"m$i.log" 2>&1 &
	PIDS+=($!)
	disown
done
for ((i = 0; i < MEMBERS; i++)); do
	for ((n = 0; ; n++)); do
		[ "$n" -lt 300 ] && kill -0 "${PIDS[i]}" || { tail -n 20 "m$i.log" >&2; exit 1; }
		! curl -sf --cacert ca.pem --cert cert.pem --key key.pem --noproxy '*' \
			"https://127.0.0.1:${PORTS[2 * i]}/health" >/dev/null || break
		sleep 0.1
	done
done
printf 'endpoints=%s\npids=%s\n' "$endpoints" "${PIDS[*]}" >ready.new
mv ready.new ready
read -r _ || true
