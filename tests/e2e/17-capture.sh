#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# An application that listens on all addresses, and the capture in front of it: peers reach it over TLS on its
# own port, and nobody in plaintext; what is not declared is refused; health and what is allowed are reached.
. "$(dirname "$0")/lib.sh"
need nft nginx curl python3 openssl

HEALTH=0.0.0.0:9901
rot_up
seal cert issue shop --peer web -o "$WORK/web" >/dev/null
seal cert issue shop --peer db -o "$WORK/db" >/dev/null
seal cert issue shop --peer ops -o "$WORK/ops" >/dev/null
pod_new db
on db ip address add fd77::2/64 dev eth0 nodad
ip address add fd77::1/64 dev to-1 nodad
DB4=10.77.1.2 DB6='[fd77::2]'

mkdir -p "$WORK/app"
chmod 0777 "$WORK/app"
cat >"$WORK/app/nginx.conf" <<-EOF
	user root;
	daemon off;
	worker_processes 1;
	pid $WORK/app/pid;
	error_log stderr;
	events { worker_connections 256; }
	http {
		log_format seen '\$remote_addr \$server_port';
		access_log $WORK/app/seen seen;
		client_body_temp_path $WORK/app/body;
		proxy_temp_path $WORK/app/proxy; fastcgi_temp_path $WORK/app/fcgi;
		uwsgi_temp_path $WORK/app/uwsgi; scgi_temp_path $WORK/app/scgi;
		server {
			listen 8080; listen [::]:8080; listen 9999; listen [::]:9999; listen 9100; listen [::]:9100;
			location / { return 200 "the application on \$server_port\n"; }
		}
	}
EOF
: >"$WORK/app/seen"
start db app nginx -e stderr -c "$WORK/app/nginx.conf"
wait_port db 8080

cat >"$WORK/db.yaml" <<-EOF
	inbound:
	  - listen: 8080
	    forward: 127.0.0.1:8080
	    captured: true
	    peers: [web]
	  - listen: '[::]:8080'
	    forward: 127.0.0.1:8080
	    captured: true
	    peers: [web]
	  - listen: 0.0.0.0:8443
	    forward: 127.0.0.1:9999
	    peers: [web]
	capture:
	  listen: 15006
	  allow: [9100]
	health: $HEALTH
	control: off
EOF
start db proxy "$SEAL_BUILD/seal-proxy" --credentials "$WORK/db" --config "$WORK/db.yaml"
wait_for 20 "the sidecar" is_settled db proxy
is_alive proxy || fail "seal-proxy ended: $(tail -n 1 "$LOGS/proxy.log")"

plain() { curl -s --max-time 5 "http://$1/" 2>/dev/null || true; }

# over_tls IDENTITY ADDRESS: the answer to a request over TLS as that identity.
over_tls() {
	curl -s --max-time 5 --cacert "$WORK/$1/ca.pem" --cert "$WORK/$1/cert.pem" --key "$WORK/$1/key.pem" \
		--insecure "https://$2/" 2>/dev/null || true
}
load() { "$SEAL_BUILD/seal-proxy" capture-rules --credentials "$WORK/db" --config "$WORK/db.yaml" | on db nft -f -; }

say "without the rules the application is open to all"
[ "$(plain $DB4:8080)" = "the application on 8080" ] || fail "the application does not answer"
python3 "$SUPPORT/oddpackets.py" 10.77.1.1 $DB4 8080 40100 >"$WORK/odd"
[ "$(grep -c 'HTTP/1.1 200' "$WORK/odd")" = 7 ] || fail "odd packets keep the application from answering: $(cat "$WORK/odd")"

say "the rules, loaded twice, are the same rules"
load
on db nft list ruleset >"$WORK/rules-1"
load
on db nft list ruleset >"$WORK/rules-2"
expect_same "$WORK/rules-1" "$WORK/rules-2"
expect_line "$WORK/rules-1" 'redirect to :15006'
: >"$WORK/app/seen"

for host in "$DB4" "$DB6"; do
	say "$host: peers over TLS, on the application's own port"
	[ "$(over_tls web "$host:8080")" = "the application on 8080" ] || fail "peer web is not served on $host"
	[ -z "$(over_tls ops "$host:8080")" ] || fail "peer ops is served on $host"
	[ "$(plain "$host:9100")" = "the application on 9100" ] || fail "the allowed port is not reached"

	say "$host: nobody in plaintext, and nothing undeclared"
	for port in 8080 15006 9999 22; do
		[ -z "$(plain "$host:$port")" ] || fail "plaintext answered on $host:$port"
		[ "$port" = 8080 ] || [ -z "$(over_tls web "$host:$port")" ] || fail "TLS is answered on $host:$port"
	done
done
seen=$(LC_ALL=C sort "$WORK/app/seen" | paste -sd ';')
[ "$seen" = "10.77.1.1 9100;127.0.0.1 8080;127.0.0.1 8080;fd77::1 9100" ] ||
	fail "the application saw: $seen"
expect_line "$LOGS/proxy.log" 'capture_refused.*no captured listener is declared for port 9999 of 10\.77\.1\.2'
expect_line "$LOGS/proxy.log" 'capture_refused.*port 15006: a loop'

say "what is bound is reached where it is bound: IPv4, and not IPv6"
[ "$(over_tls web $DB4:8443)" = "the application on 9999" ] || fail "the bound listener is not reached"
[ -z "$(over_tls web "$DB6:8443")" ] || fail "a port that is bound for IPv4 answers on IPv6"

say "health is reached, the pod's own traffic is untouched"
[ "$(curl -s -o "$WORK/out" -w '%{http_code}' --max-time 5 http://$DB4:9901/readyz)" = 200 ] || fail "no health"
[ "$(on db curl -s --max-time 5 http://127.0.0.1:8080/)" = "the application on 8080" ] || fail "loopback is captured"
[ "$(on db curl -s --max-time 5 http://$DB4:8080/)" = "the application on 8080" ] || fail "the pod's own traffic is captured"
# The server writes its line when it has answered: not into what comes next.
wait_for 10 "the line of it" has_line "$WORK/app/seen" '^10\.77\.1\.2 8080$'

say "odd first packets open no other way"
: >"$WORK/app/seen"
python3 "$SUPPORT/oddpackets.py" 10.77.1.1 $DB4 8080 40000 >"$WORK/odd"
expect_no_line "$WORK/odd" 'HTTP'
[ "$(grep -c nothing "$WORK/odd")" = 7 ] || fail "not every packet was tried: $(cat "$WORK/odd")"
[ ! -s "$WORK/app/seen" ] || fail "the application saw: $(cat "$WORK/app/seen")"

say "a captured connection goes on when the rules are loaded anew"
mkfifo "$WORK/say"
openssl s_client -quiet -connect $DB4:8080 -CAfile "$WORK/web/ca.pem" -cert "$WORK/web/cert.pem" \
	-key "$WORK/web/key.pem" <"$WORK/say" >"$WORK/heard" 2>/dev/null &
exec 9>"$WORK/say"
printf 'GET / HTTP/1.1\r\nHost: db\r\n\r\n' >&9
wait_for 10 "the first answer" has_line "$WORK/heard" "the application on 8080"
load
printf 'GET / HTTP/1.1\r\nHost: db\r\nConnection: close\r\n\r\n' >&9
answers() { [ "$(grep -c 'the application on 8080' "$WORK/heard")" = 2 ]; }
wait_for 10 "the second answer" answers
exec 9>&-

say "without the proxy nobody gets in: not to the application either"
: >"$WORK/app/seen"
stop proxy
[ -z "$(plain $DB4:8080)$(plain "$DB6:8080")$(plain $DB4:9999)" ] || fail "the application is open when the proxy is gone"
[ ! -s "$WORK/app/seen" ] || fail "the application saw: $(cat "$WORK/app/seen")"

say "undone as the rules say"
on db sh -c "$("$SEAL_BUILD/seal-proxy" capture-rules --credentials "$WORK/db" --config "$WORK/db.yaml" | sed -n 's/^# To undo: //p')"
[ "$(plain $DB4:8080)" = "the application on 8080" ] || fail "the capture is still there"
