#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Real containers: podman and runc start nginx and a shell application, images nobody changed apart from seal-wrap
# and the token, from an injected manifest.  They serve what the sealed ConfigMap said; the containers' logs, what
# the engine knows of them and its storage on disk say nothing; containers a host adds get nothing.
. "$(dirname "$0")/lib.sh"
. "$SUPPORT/sealed.sh"
. "$SUPPORT/podman.sh"
need curl nginx jq

podman_setup
rot_up
seal peer allow shop any web >/dev/null
mint_sealed "$WORK/eggs/web" shop --peer web --container nginx --container shell

say "images: the sidecar with its egg, nginx and a shell with seal-wrap and their tokens"
image_sidecar "$WORK/eggs/web"
root=$(image_root nginx)
copy_program "$root" "$(command -v nginx)" /usr/sbin/nginx
mkdir -p "$root"/{etc/nginx/conf,var/log/nginx,var/lib/nginx,run,tmp,usr/share/html}
printf 'root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n' >"$root/etc/passwd"
printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"
cp /etc/nginx/mime.types "$root/etc/nginx/"
image_token "$root" "$WORK/eggs/token-nginx"
image_build nginx 'ENV NGINX_FLAVOUR=plain' 'ENTRYPOINT ["/usr/sbin/nginx"]' 'CMD ["-c", "/etc/nginx/conf/nginx.conf", "-g", "daemon off;"]'
root=$(image_root shell)
install -D -m 0755 "$(command -v busybox)" "$root/bin/busybox"
for applet in sh httpd cat sleep id; do ln -sf busybox "$root/bin/$applet"; done
mkdir -p "$root"/{tmp,run} # no www: podman would give its mode to the volume
chmod 1777 "$root/tmp"
image_token "$root" "$WORK/eggs/token-shell"
image_build shell 'CMD ["/bin/sh"]'

cat >"$WORK/site.yaml" <<'EOF'
apiVersion: v1
kind: ConfigMap
metadata: {name: nginx-conf}
data:
  nginx.conf: |
    worker_processes 1;
    error_log stderr info;
    pid /tmp/nginx.pid;
    events { worker_connections 64; }
    http {
      include /etc/nginx/mime.types;
      access_log off;
      client_body_temp_path /tmp/body; proxy_temp_path /tmp/proxy; fastcgi_temp_path /tmp/fcgi;
      uwsgi_temp_path /tmp/uwsgi; scgi_temp_path /tmp/scgi;
      server { listen 127.0.0.1:8080; root /usr/share/html; add_header X-Sealed marker-header; }
    }
---
apiVersion: v1
kind: ConfigMap
metadata: {name: pages}
data: {index.html: "marker-index\n"}
---
apiVersion: v1
kind: Secret
metadata: {name: login}
stringData: {password: marker-password}
---
apiVersion: v1
kind: Pod
metadata:
  name: site
  annotations:
    seal-control.io/inbound: "18443=8080; 19443=8081"
    seal-control.io/file-access: all # nginx reads its pages as another user than the one it starts as
spec:
  hostAliases:
  - {ip: 10.77.0.1, hostnames: [rot.seal.test]}
  volumes:
  - {name: conf, configMap: {name: nginx-conf}}
  - {name: pages, configMap: {name: pages}}
  - {name: www, configMap: {name: pages}}
  containers:
  - name: nginx
    image: localhost/nginx:test
    volumeMounts:
    - {name: conf, mountPath: /etc/nginx/conf}
    - {name: pages, mountPath: /usr/share/html}
  - name: shell
    image: localhost/shell:test
    command: ["/bin/sh", "-c", "id -u; cat /www/index.html >/tmp/index.html; echo \"$GREETING $PASSWORD\" >/tmp/secret.html; exec httpd -f -p 127.0.0.1:8081 -h /tmp"]
    securityContext: {runAsUser: 1000, runAsGroup: 1000}
    env:
    - {name: GREETING, value: marker-greeting}
    - {name: PASSWORD, valueFrom: {secretKeyRef: {name: login, key: password}}}
    volumeMounts:
    - {name: www, mountPath: /www}
EOF
MARKERS=(marker-header marker-index marker-password marker-greeting)

say "inject: image configurations say what the manifest leaves out"
expect_exit 1 inject "$WORK/site.yaml" "$WORK/none.yaml"
expect_line "$WORK/err" 'nginx'
[ ! -e "$WORK/none.yaml" ] || fail "an output in spite of an error"
# podman adds a name for the host to every pod's hosts.
cat >"$WORK/pins.yaml" <<'EOF'
hosts: {names: [{name: host.containers.internal, networks: [10.77.0.1]}]}
EOF
inject "$WORK/site.yaml" "$WORK/sealed.yaml" --policy "$WORK/pins.yaml" --proxy-image localhost/sidecar:test \
	--image-config "nginx=$(image_config nginx)" --image-config "$(image_config shell)" 2>"$WORK/said"
for marker in "${MARKERS[@]}"; do
	expect_no_line "$WORK/sealed.yaml" "$marker"
done

say "the pod starts and serves what was sealed"
seal cert issue shop --peer any -o "$WORK/client" >/dev/null
fetch() {
	curl -s --max-time 10 --cacert "$WORK/client/ca.pem" --cert "$WORK/client/cert.pem" --key "$WORK/client/key.pem" \
		--connect-to "any:$1:127.0.0.1:$1" -D "$WORK/head" "https://any:$1/$2"
}
play "$WORK/sealed.yaml"
is_page() { [ "$(fetch "$1" "$2")" = "$3" ]; }
wait_for 60 "nginx through the proxy" is_page 18443 index.html marker-index
expect_line "$WORK/head" 'X-Sealed: marker-header'
wait_for 30 "the shell through the proxy" is_page 19443 index.html marker-index
[ "$(fetch 19443 secret.html)" = "marker-greeting marker-password" ] || fail "it says: $(fetch 19443 secret.html)"
pod_logs site-shell | grep -qx 1000 || fail "the shell does not run as its user"

say "the host sees none of it: logs, engine, storage"
for name in site-seal-proxy site-nginx site-shell; do
	pod_logs "$name" >"$LOGS/container-$name.log"
	podman inspect "$name" >"$LOGS/inspect-$name.log"
done
expect_hidden "${MARKERS[@]}"
for volume in $(podman volume ls -q); do
	podman volume inspect "$volume" --format '{{.Mountpoint}}'
done >"$WORK/mountpoints"
grep -v -F "$(awk '$3 == "tmpfs" { print $2 }' /proc/mounts)" "$WORK/mountpoints" | while read -r directory; do
	! grep -rlaE 'marker-' "$directory" || fail "a marker on disk in $directory"
done

say "the files are in memory, and as open as the owner asked for"
nginx_conf=$(container_path site-nginx /etc/nginx/conf/nginx.conf)
[ "$(stat -L -c '%a %u' "$nginx_conf")" = "444 0" ] || fail "nginx.conf is $(stat -L -c '%a %u' "$nginx_conf")"
[ "$(stat -L -f -c %T "$nginx_conf")" = tmpfs ] || fail "nginx.conf lies on $(stat -L -f -c %T "$nginx_conf")"
www=$(container_path site-shell /www/index.html)
[ "$(stat -L -c '%a %u' "$www")" = "444 1000" ] || fail "the page is $(stat -L -c '%a %u' "$www")"

say "a container without a token, and one with another's, get nothing"
python3 - "$WORK/sealed.yaml" "$WORK/rogue.yaml" <<'EOF'
import sys, yaml
pod = next(d for d in yaml.safe_load_all(open(sys.argv[1])) if d["kind"] == "Pod")
run = next(v for v in pod["spec"]["volumes"] if v["name"] == "seal-run")
spec = next(c for c in pod["spec"]["containers"] if c["name"] == "nginx")["command"]
print(spec[1], file=open(sys.argv[2] + ".spec", "w"), end="")
EOF
root=$(image_root tokenless)
install -D -m 0755 "$SEAL_BUILD/seal-wrap" "$root/usr/bin/seal-wrap"
image_build tokenless
expect_exit 1 timeout 100 podman run --rm --network host -v site-seal-run:/run/seal localhost/tokenless:test \
	/usr/bin/seal-wrap "$(cat "$WORK/rogue.yaml.spec")"
expect_line "$WORK/err" '/etc/seal/token'
expect_exit 1 timeout 100 podman run --rm --network host -v site-seal-run:/run/seal localhost/shell:test \
	/usr/bin/seal-wrap "$(cat "$WORK/rogue.yaml.spec")"
expect_no_line "$WORK/out" 'marker'

say "it ends in order"
podman stop -t 10 site-shell site-nginx >/dev/null
[ "$(podman inspect --format '{{.State.ExitCode}}' site-shell)" = 143 ] || say "the shell ended with $(podman inspect --format '{{.State.ExitCode}}' site-shell)"
[ "$(podman inspect --format '{{.State.ExitCode}}' site-nginx)" = 0 ] || fail "nginx ended with $(podman inspect --format '{{.State.ExitCode}}' site-nginx)"
unplay "$WORK/sealed.yaml"
