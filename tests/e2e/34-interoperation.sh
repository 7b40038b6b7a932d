#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The sidecar and the rest of the world, both ways, with certificates of "seal cert issue": each product as a
# client that verifies our inbound listener and proves who it is, and as a server behind our outbound listener
# that demands a certificate.  Each connects again with the session of before, which must be resumed or be a
# full handshake.  One line per product and direction.
. "$(dirname "$0")/lib.sh"
need nginx haproxy stunnel4 openssl curl python3 java keytool node

NAME=db.example.com
PEERS=8444 APP=8080
SIZE=1048576

rot_up
seal cert issue shop --peer web -o "$WORK/web" >/dev/null
seal cert issue shop --peer db --hostname "$NAME" -o "$WORK/db" >/dev/null
HOSTS="$HOSTS
127.0.0.1 $NAME"
write_hosts
for who in web db; do
	cat "$WORK/$who/cert.pem" "$WORK/$who/key.pem" >"$WORK/$who/both.pem"
done
CA=$WORK/db/ca.pem
declare -A PORTS=([nginx]=9201 [haproxy]=9202 [stunnel]=9203 [s_server]=9204 [java]=9205 [node]=9206)

# ---- the products ---------------------------------------------------------------------------------

# The application behind everything is nginx, in plaintext; so is one of the products, on both sides.
mkdir "$WORK/www" "$WORK/tmp"
head -c "$SIZE" /dev/urandom >"$WORK/www/big"
echo served >"$WORK/www/index.html"
cat >"$WORK/nginx.conf" <<-EOF2
	user root;
	daemon off;
	worker_processes 1;
	pid $WORK/tmp/pid;
	error_log stderr notice;
	events { worker_connections 256; }
	http {
		access_log off;
		client_body_temp_path $WORK/tmp/body;
		proxy_temp_path $WORK/tmp/proxy; fastcgi_temp_path $WORK/tmp/fcgi;
		uwsgi_temp_path $WORK/tmp/uwsgi; scgi_temp_path $WORK/tmp/scgi;
		root $WORK/www;
		server { listen 127.0.0.1:$APP; }
		server {
			listen 127.0.0.1:${PORTS[nginx]} ssl;
			ssl_protocols TLSv1.3;
			ssl_certificate $WORK/db/cert.pem; ssl_certificate_key $WORK/db/key.pem;
			ssl_client_certificate $CA; ssl_verify_client on;
			ssl_session_cache shared:sessions:1m;
			add_header Resumed \$ssl_session_reused;
		}
		server {
			listen 127.0.0.1:9101;
			location / {
				proxy_pass https://127.0.0.1:$PEERS;
				proxy_ssl_certificate $WORK/web/cert.pem; proxy_ssl_certificate_key $WORK/web/key.pem;
				proxy_ssl_protocols TLSv1.3;
				proxy_ssl_trusted_certificate $CA; proxy_ssl_verify on;
				proxy_ssl_name $NAME; proxy_ssl_server_name on;
			}
		}
	}
EOF2
cat >"$WORK/haproxy.cfg" <<-EOF2
	global
		log stderr local0
		maxconn 200
		nbthread 1
	defaults
		mode http
		timeout connect 5s
		timeout client 20s
		timeout server 20s
		option httpclose
	frontend plain
		bind 127.0.0.1:9102
		default_backend sidecar
	backend sidecar
		http-response set-header Resumed %[ssl_bc_is_resumed]
		server db 127.0.0.1:$PEERS ssl crt $WORK/web/both.pem ca-file $CA verify required verifyhost $NAME sni str($NAME)
	frontend tls
		bind 127.0.0.1:${PORTS[haproxy]} ssl crt $WORK/db/both.pem ca-file $CA verify required ssl-min-ver TLSv1.3
		http-response set-header Resumed %[ssl_fc_is_resumed]
		default_backend app
	backend app
		server app 127.0.0.1:$APP
EOF2
cat >"$WORK/stunnel.conf" <<-EOF2
	foreground = yes
	pid =
	syslog = no
	debug = info
	CAfile = $CA
	verifyChain = yes
	sslVersionMin = TLSv1.3
	[client]
	client = yes
	accept = 127.0.0.1:9103
	connect = 127.0.0.1:$PEERS
	cert = $WORK/web/cert.pem
	key = $WORK/web/key.pem
	checkHost = $NAME
	sni = $NAME
	[server]
	accept = 127.0.0.1:${PORTS[stunnel]}
	connect = 127.0.0.1:$APP
	cert = $WORK/db/cert.pem
	key = $WORK/db/key.pem
EOF2

outbound=()
for product in "${!PORTS[@]}"; do
	outbound+=(--outbound "7${PORTS[$product]:1}=127.0.0.1:${PORTS[$product]}/db")
done
start home java java -XX:TieredStopAtLevel=1 "$SUPPORT/Interop.java" server "${PORTS[java]}" "$WORK/db/bundle.p12" "$CA"
start home node node "$SUPPORT/interop.js" server "${PORTS[node]}" "$WORK/db/bundle.p12" "$CA"
start home nginx nginx -e stderr -c "$WORK/nginx.conf"
start home haproxy haproxy -db -f "$WORK/haproxy.cfg"
start home stunnel stunnel4 "$WORK/stunnel.conf"
start home s_server openssl s_server -accept "127.0.0.1:${PORTS[s_server]}" -cert "$WORK/db/cert.pem" -key "$WORK/db/key.pem" \
	-CAfile "$CA" -Verify 1 -verify_return_error -www
start home proxy-db "$SEAL_BUILD/seal-proxy" --health 9901 --credentials "$WORK/db" --inbound "127.0.0.1:$PEERS=$APP/web"
start home proxy-web "$SEAL_BUILD/seal-proxy" --health 9902 --credentials "$WORK/web" "${outbound[@]}"
for port in 9901 9902; do
	HEALTH=127.0.0.1:$port wait_for 20 "the sidecar at $port" is_healthy home
done
for port in "$APP" 9101 9102 9103 "${PORTS[@]}"; do
	wait_port home "$port"
done

# ---- verdicts -------------------------------------------------------------------------------------

# pass PRODUCT DIRECTION AGAIN: AGAIN is what the second connection was, as far as the product tells.
pass() { printf 'PASS  %-10s %-7s second connection: %s\n' "$1" "as $2" "$3"; }

# What headers, logs and pages say about resumption, in one word.
resumption() {
	case $(grep -aioE 'Resumed: *[r01.]|^Reused, |^New, |^    Reused|(resumed|full)$' "$1" | tail -n 1 | tr -d ' ' | tr '[:upper:]' '[:lower:]' || true) in
	resumed:r | resumed:1 | reused* | resumed) echo resumed ;;
	resumed:. | resumed:0 | new* | full) echo full ;;
	*) echo 'not told' ;;
	esac
}

# through URL: two requests on connections of their own, headers of the last in $WORK/head; then a big one.
through() {
	local again
	for again in 1 2; do
		curl -sS --max-time 20 -D "$WORK/head" -H 'Connection: close' -o "$WORK/got" "$1/" || fail "$1: request $again"
	done
}

bulk() {
	curl -sS --max-time 60 -H 'Connection: close' -o "$WORK/got" "$1/big" || fail "$1/big"
	expect_same "$WORK/got" "$WORK/www/big"
}

expect_served() { expect_line "$1" '^served'; }

say "as clients of our inbound listener"

through http://127.0.0.1:9101 && expect_served "$WORK/got" && bulk http://127.0.0.1:9101
pass nginx client 'not told'
through http://127.0.0.1:9102 && expect_served "$WORK/got" && bulk http://127.0.0.1:9102
pass haproxy client "$(resumption "$WORK/head")"
through http://127.0.0.1:9103 && expect_served "$WORK/got" && bulk http://127.0.0.1:9103
again=full
! has_line "$LOGS/stunnel.log" 'TLS connected: previous session reused' || again=resumed
pass stunnel client "$again"

s_client() {
	printf 'GET / HTTP/1.0\r\n\r\n' | openssl s_client -connect "$NAME:$PEERS" -servername "$NAME" -verify_hostname "$NAME" \
		-verify_return_error -CAfile "$CA" -cert "$WORK/web/cert.pem" -key "$WORK/web/key.pem" -ign_eof "$@" \
		>"$WORK/got" 2>"$WORK/said" || fail "s_client: $(tail -n 1 "$WORK/said")"
	expect_served "$WORK/got"
}
s_client -sess_out "$WORK/session"
again='full (no session was offered)'
if [ -s "$WORK/session" ]; then
	s_client -sess_in "$WORK/session"
	again=$(resumption "$WORK/got")
else
	s_client
fi
pass s_client client "$again"

curl -sS --max-time 20 --cacert "$CA" --cert "$WORK/web/cert.pem" --key "$WORK/web/key.pem" -H 'Connection: close' -v \
	"https://$NAME:$PEERS/" "https://$NAME:$PEERS/" >"$WORK/got" 2>"$WORK/said" || fail "curl: $(tail -n 1 "$WORK/said")"
[ "$(grep -c '^served' "$WORK/got")" = 2 ] || fail "curl was served $(cat "$WORK/got")"
again=full
! grep -q 're-using session ID' "$WORK/said" || again='offered'
pass curl client "$again"
curl -sS --max-time 20 --cacert "$CA" --cert-type P12 --cert "$WORK/web/bundle.p12:" "https://$NAME:$PEERS/" >"$WORK/got" ||
	fail "curl does not take bundle.p12"
expect_served "$WORK/got"

keytool -list -storetype PKCS12 -keystore "$WORK/web/bundle.p12" -storepass '' >"$WORK/got" 2>&1 || fail "keytool: $(cat "$WORK/got")"
expect_line "$WORK/got" 'shop/web.*PrivateKeyEntry'
for mode in client sockets; do
	java -XX:TieredStopAtLevel=1 "$SUPPORT/Interop.java" "$mode" "$PEERS" "$WORK/web/bundle.p12" "$CA" >"$WORK/got" 2>"$WORK/said" ||
		fail "java as $mode: $(tail -n 3 "$WORK/said")"
	[ "$(grep -c 'served' "$WORK/got")" = 2 ] || fail "java as $mode was served $(cat "$WORK/got")"
	pass java "client" "$(resumption "$WORK/got") ($mode)"
done
node "$SUPPORT/interop.js" client "$PEERS" "$WORK/web/bundle.p12" "$CA" >"$WORK/got" 2>"$WORK/said" || fail "node: $(tail -n 3 "$WORK/said")"
[ "$(grep -c 'served' "$WORK/got")" = 2 ] || fail "node was served $(cat "$WORK/got")"
pass node client "$(resumption "$WORK/got")"

say "as servers behind our outbound listener"

for product in nginx haproxy stunnel; do
	url=http://127.0.0.1:7${PORTS[$product]:1}
	through "$url"
	expect_served "$WORK/got"
	bulk "$url"
	again=$(resumption "$WORK/head")
	if [ "$product" = stunnel ]; then
		again=full
		! has_line "$LOGS/stunnel.log" 'TLS accepted: previous session reused' || again=resumed
	fi
	pass "$product" server "$again"
done
through "http://127.0.0.1:7${PORTS[s_server]:1}"
expect_line "$WORK/got" 'TLSv1.3'
pass s_server server "$(resumption "$WORK/got")"
for product in java node; do
	through "http://127.0.0.1:7${PORTS[$product]:1}"
	expect_served "$WORK/got"
	pass "$product" server "$(resumption "$WORK/got")"
done

say "each of them was met by name"
expect_line "$LOGS/proxy-db.log" 'event=connection .*direction="?inbound"? .*peer="?web"?'
expect_line "$LOGS/proxy-web.log" 'event=connection .*direction="?outbound"? .*peer="?db"?'
expect_no_line "$LOGS/proxy-db.log" 'event=peer_refused'
expect_no_line "$LOGS/proxy-web.log" 'event=peer_refused'
