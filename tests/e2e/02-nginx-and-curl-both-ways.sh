#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# nginx and curl in both pods, each calling the other through the sidecars: keep-alive, and 100 MiB in each
# direction compared byte for byte.
. "$(dirname "$0")/lib.sh"
need nginx curl openssl

SIZE=$((${SEAL_MIB:-100} * 1024 * 1024))

serve() {
	local pod=$1 root=$WORK/www-$1
	mkdir -p "$root/files" "$root/tmp" "$root/up"
	chmod -R 0777 "$root"
	cat >"$root/nginx.conf" <<-EOF
		user root;
		daemon off;
		worker_processes 1;
		pid $root/tmp/pid;
		error_log stderr;
		events { worker_connections 256; }
		http {
			access_log off;
			client_body_temp_path $root/tmp/body;
			proxy_temp_path $root/tmp/proxy; fastcgi_temp_path $root/tmp/fcgi;
			uwsgi_temp_path $root/tmp/uwsgi; scgi_temp_path $root/tmp/scgi;
			client_max_body_size 0;
			keepalive_requests 10000;
			server {
				listen 127.0.0.1:8080;
				root $root;
				location /up/ { dav_methods PUT; }
				location = /who { return 200 "$pod\n"; }
			}
		}
	EOF
	openssl rand -out "$root/files/big" "$SIZE"
	start "$pod" "nginx-$pod" nginx -e stderr -c "$root/nginx.conf"
	wait_port "$pod" 8080
}

rot_up
seal peer allow shop db web >/dev/null
pod_new web
pod_new db
serve web
serve db
sidecar web web --inbound 8443=8080/db --outbound 7000=db:8443/db
sidecar db db --inbound 8443=8080/web --outbound 7000=web:8443/web

both_ways() {
	local here=$1 there=$2 count
	say "$here calls $there"
	[ "$(on "$here" curl -sS --max-time 60 http://127.0.0.1:7000/who)" = "$there" ] || fail "not answered by $there"

	say "$here: fifty requests over one connection"
	printf 'url = "http://127.0.0.1:7000/who"\noutput = "/dev/null"\n%.0s' $(seq 50) >"$WORK/urls"
	count=$(on "$here" curl -sS --max-time 60 -K "$WORK/urls" -w '%{num_connects}\n' | awk '{ n += $1 } END { print n + 0, NR }')
	[ "$count" = "1 50" ] || fail "connections and answers: $count, wanted 1 and 50"

	say "$here: $SIZE bytes down"
	on "$here" curl -sS --max-time 240 -o "$WORK/down-$here" http://127.0.0.1:7000/files/big
	expect_same "$WORK/down-$here" "$WORK/www-$there/files/big"
	rm "$WORK/down-$here"

	say "$here: $SIZE bytes up"
	on "$here" curl -sS --max-time 240 -f -T "$WORK/www-$here/files/big" "http://127.0.0.1:7000/up/from-$here"
	expect_same "$WORK/www-$there/up/from-$here" "$WORK/www-$here/files/big"
	rm "$WORK/www-$there/up/from-$here"
}

both_ways web db
both_ways db web

say "half-close: a client that ends its sending still gets the whole answer"
stop nginx-db
witness db 8080 swallow
size=300000
got=$(head -c "$size" /dev/zero | on web python3 "$SUPPORT/halfclose.py" 127.0.0.1 7000)
[ "$got" = "$size" ] || fail "after half-close the application counted '$got', wanted $size"
