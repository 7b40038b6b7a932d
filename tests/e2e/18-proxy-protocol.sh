#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The application is told who is there: PROXY protocol v2 as HAProxy and nginx read it, and every field of it as a
# strict reader does, for peers, resumed peers, and public clients with and without a certificate.
. "$(dirname "$0")/lib.sh"
need python3 curl openssl haproxy nginx

rot_up
seal cert issue shop --peer web -o "$WORK/web" >/dev/null
seal cert issue shop --peer db -o "$WORK/db" >/dev/null

say "certificates of a public CA (RSA), and of a client CA"
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=www.example.com \
	-addext subjectAltName=DNS:www.example.com -keyout "$WORK/tls.key" -out "$WORK/tls.crt" 2>/dev/null
chmod 0600 "$WORK/tls.key"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=client CA" \
	-addext keyUsage=critical,keyCertSign -keyout "$WORK/ca.key" -out "$WORK/ca.pem" 2>/dev/null
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=Jo Doe" \
	-keyout "$WORK/jo.key" -out "$WORK/jo.csr" 2>/dev/null
printf 'keyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth\nbasicConstraints=critical,CA:FALSE\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n' >"$WORK/jo.ext"
openssl x509 -req -in "$WORK/jo.csr" -CA "$WORK/ca.pem" -CAkey "$WORK/ca.key" -CAcreateserial -days 2 \
	-extfile "$WORK/jo.ext" -out "$WORK/jo.pem" 2>/dev/null

start home strict python3 "$SUPPORT/announced.py" serve 8080 "$WORK/announced"

cat >"$WORK/haproxy.cfg" <<-EOF
	defaults
	  mode http
	  timeout client 10s
	  timeout connect 10s
	  timeout server 10s
	frontend announced
	  bind 127.0.0.1:8081 accept-proxy
	  http-request return status 200 content-type text/plain lf-string "%[src] %[src_port] %[dst] %[dst_port] %[fc_pp_authority]\n"
EOF
start home haproxy haproxy -db -f "$WORK/haproxy.cfg"

mkdir -p "$WORK/nginx"
chmod 0777 "$WORK/nginx"
cat >"$WORK/nginx.conf" <<-EOF
	user root;
	daemon off;
	worker_processes 1;
	pid $WORK/nginx/pid;
	error_log stderr;
	events { worker_connections 64; }
	http {
		access_log off;
		client_body_temp_path $WORK/nginx/body;
		proxy_temp_path $WORK/nginx/proxy; fastcgi_temp_path $WORK/nginx/fcgi;
		uwsgi_temp_path $WORK/nginx/uwsgi; scgi_temp_path $WORK/nginx/scgi;
		server {
			listen 127.0.0.1:8082 proxy_protocol;
			location / {
				return 200 "\$proxy_protocol_addr \$proxy_protocol_port \$proxy_protocol_server_addr \$proxy_protocol_server_port\n";
			}
		}
	}
EOF
start home nginx nginx -e stderr -c "$WORK/nginx.conf"

cat >"$WORK/db.yaml" <<-EOF
	inbound:
	  - {listen: 0.0.0.0:18080, forward: 127.0.0.1:8080, peers: [web], proxy-protocol: v2}
	  - {listen: '[::]:18080', forward: 127.0.0.1:8080, peers: [web], proxy-protocol: v2, alpn: [http/1.1]}
	  - {listen: 127.0.0.1:18081, forward: 127.0.0.1:8081, peers: [web], proxy-protocol: v2}
	  - {listen: 127.0.0.1:18082, forward: 127.0.0.1:8082, peers: [web], proxy-protocol: v2}
	  - {listen: 127.0.0.1:18083, forward: 127.0.0.1:8080, peers: [web]}
	public:
	  - listen: 127.0.0.1:18090
	    forward: 127.0.0.1:8080
	    certificate: $WORK/tls.crt
	    key: $WORK/tls.key
	    proxy-protocol: v2
	  - listen: 127.0.0.1:18091
	    forward: 127.0.0.1:8080
	    certificate: $WORK/tls.crt
	    key: $WORK/tls.key
	    client-ca: $WORK/ca.pem
	    proxy-protocol: v2
	control: off
EOF
wait_port home 8080
wait_port home 8081
wait_port home 8082
start home proxy "$SEAL_BUILD/seal-proxy" --health "$HEALTH" --credentials "$WORK/db" --config "$WORK/db.yaml"
wait_for 20 "the sidecar" is_settled home proxy
is_alive proxy || fail "seal-proxy ended: $(tail -n 1 "$LOGS/proxy.log")"

# ask URL OPTION...: the answer into $WORK/answer, our own port into OWN.
ask() {
	local url=$1
	shift
	OWN=$(curl -sS --insecure --max-time 10 -o "$WORK/answer" -w '%{local_port}' "$@" "$url" 2>"$WORK/said") || true
}
AS_WEB=(--cert "$WORK/web/cert.pem" --key "$WORK/web/key.pem")

# expect_announced JSON: of the last connection; %d stands for our own port.
expect_announced() {
	[ "$(cat "$WORK/answer")" = announced ] || fail "the application did not answer: $(cat "$WORK/said")"
	python3 - "$WORK/announced" "${1//%d/$OWN}" <<-'EOF' || fail "see above"
		import json, sys
		last = open(sys.argv[1]).read().splitlines()[-1]
		if not last.startswith("{") or json.loads(last) != json.loads(sys.argv[2]):
		    sys.exit(f"announced: {last}\nwanted:    {sys.argv[2]}")
	EOF
}
PEER='"cn": "web", "spiffe": "spiffe://seal.test/workload/shop/peer/web", "verify": 0'
TLS13='"version": "TLSv1.3", "cipher": "TLS_AES_128_GCM_SHA256"'

say "a peer over IPv4, by name and by address"
ask https://db.example.com:18080/ "${AS_WEB[@]}" --no-alpn --resolve db.example.com:18080:127.0.0.2
expect_announced "{\"from\": \"127.0.0.1 %d\", \"to\": \"127.0.0.2 18080\", \"authority\": \"db.example.com\", \"ssl\": 7, $PEER, $TLS13}"
ask https://127.0.0.1:18080/ "${AS_WEB[@]}" --no-alpn
expect_announced "{\"from\": \"127.0.0.1 %d\", \"to\": \"127.0.0.1 18080\", \"ssl\": 7, $PEER, $TLS13}"

say "a peer over IPv6, with ALPN"
ask 'https://[::1]:18080/' "${AS_WEB[@]}" --http1.1
expect_announced "{\"from\": \"::1 %d\", \"to\": \"::1 18080\", \"alpn\": \"http/1.1\", \"ssl\": 7, $PEER, $TLS13}"

say "a peer that resumes its session"
[ "$(python3 "$SUPPORT/announced.py" twice 127.0.0.1 18080 "$WORK/web/cert.pem" "$WORK/web/key.pem")" = resumed ] ||
	fail "the session was not resumed"
tail -n 2 "$WORK/announced" | sed -E 's/.*"ssl": ([0-9]+).*/\1/' | paste -sd ' ' | grep -qx '7 5' ||
	fail "announced: $(tail -n 2 "$WORK/announced")"

say "as HAProxy reads it, and nginx"
ask https://db.example.com:18081/ "${AS_WEB[@]}" --resolve db.example.com:18081:127.0.0.1
[ "$(cat "$WORK/answer")" = "127.0.0.1 $OWN 127.0.0.1 18081 db.example.com" ] || fail "haproxy says: $(cat "$WORK/answer")"
ask https://db.example.com:18082/ "${AS_WEB[@]}" --resolve db.example.com:18082:127.0.0.1
[ "$(cat "$WORK/answer")" = "127.0.0.1 $OWN 127.0.0.1 18082" ] || fail "nginx says: $(cat "$WORK/answer")"

say "public clients: without a certificate, over TLS 1.3 and 1.2, and with one"
ask https://www.example.com:18090/ --resolve www.example.com:18090:127.0.0.1
expect_announced "{\"from\": \"127.0.0.1 %d\", \"to\": \"127.0.0.1 18090\", \"authority\": \"www.example.com\", \"ssl\": 1, \"verify\": 1, $TLS13}"
ask https://www.example.com:18090/ --resolve www.example.com:18090:127.0.0.1 --tls-max 1.2
expect_announced "{\"from\": \"127.0.0.1 %d\", \"to\": \"127.0.0.1 18090\", \"authority\": \"www.example.com\", \"ssl\": 1, \"verify\": 1, \"version\": \"TLSv1.2\", \"cipher\": \"ECDHE-RSA-AES128-GCM-SHA256\"}"
ask https://www.example.com:18091/ --resolve www.example.com:18091:127.0.0.1 --cert "$WORK/jo.pem" --key "$WORK/jo.key"
expect_announced "{\"from\": \"127.0.0.1 %d\", \"to\": \"127.0.0.1 18091\", \"authority\": \"www.example.com\", \"ssl\": 7, \"verify\": 0, \"cn\": \"Jo Doe\", $TLS13}"

say "who is refused is not announced, and who is not to be announced comes as ever"
lines=$(wc -l <"$WORK/announced")
ask https://127.0.0.1:18080/
ask https://www.example.com:18091/ --resolve www.example.com:18091:127.0.0.1
ask https://www.example.com:18091/ --resolve www.example.com:18091:127.0.0.1 "${AS_WEB[@]}"
[ "$(wc -l <"$WORK/announced")" = "$lines" ] || fail "announced: $(tail -n 3 "$WORK/announced")"
ask https://127.0.0.1:18083/ "${AS_WEB[@]}"
tail -n 1 "$WORK/announced" | grep -q '^refused: ValueError: not a header' || fail "a header nobody asked for: $(tail -n 1 "$WORK/announced")"
