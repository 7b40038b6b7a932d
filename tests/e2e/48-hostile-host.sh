#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A hostile host: one good container, started by runc as kubelet and containerd would, and everything they could
# change of it, one thing at a time.  Before the start nothing of the application runs; later it is stopped and its
# sidecar lets nobody in.  In audit mode the same is told, and goes on.
# Takes: 71 s
. "$(dirname "$0")/lib.sh"
. "$SUPPORT/sealed.sh"
. "$SUPPORT/host.sh"

rot_up
seal peer allow shop any web >/dev/null
host_setup

manifest() {
	cat <<EOF
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, namespace: shop}
data: {page.txt: marker-page}
---
apiVersion: v1
kind: Pod
metadata:
  name: web
  namespace: shop
  annotations:
    seal-control.io/inbound: "8443=8080"
    seal-control.io/outbound: "5432=db.shop.svc:8443/db"
    seal-control.io/verify: $1
    seal-control.io/verify-policy: |
      root: {types: [overlay], layers: 3}
      hosts:
        names:
        - {name: rot.seal.test, networks: [10.77.0.0/24]}
        - {name: db.shop.svc, networks: [10.96.0.0/12]}
      resolv: {nameservers: [10.96.0.0/12]}
      account:
        issuer: https://kubernetes.default.svc.cluster.local
        audiences: [https://kubernetes.default.svc.cluster.local]
        ca: [$(openssl x509 -in "$CLUSTER_CA" -outform DER | sha256sum | cut -d ' ' -f 1)]
spec:
  serviceAccountName: web
  automountServiceAccountToken: true
  hostAliases:
  - {ip: 10.77.0.1, hostnames: [rot.seal.test]}
  volumes:
  - {name: settings, configMap: {name: settings}}
  - {name: cache, emptyDir: {medium: Memory}}
  - {name: data, emptyDir: {}}
  containers:
  - name: app
    image: app
    command: ["/bin/sh", "-c", "echo marker-started in \$(pwd); exec httpd -f -p 127.0.0.1:8080 -h /etc/app"]
    workingDir: /work
    env: [{name: PASSWORD, value: marker-password}]
    livenessProbe: {exec: {command: ["/bin/sh", "-c", "/opt/check"]}}
    volumeMounts:
    - {name: settings, mountPath: /etc/app}
    - {name: cache, mountPath: /cache}
    - {name: data, mountPath: /data, readOnly: true}
EOF
}

manifest enforce >"$WORK/plain.yaml"
mint_sealed "$WORK/eggs/web" shop --peer web --container app
inject "$WORK/plain.yaml" "$WORK/sealed.yaml"
export MANIFEST=$WORK/sealed.yaml
image_base
APP=$(image_app app "$WORK/eggs/token-app")
mkdir -p "$APP/work" "$APP/opt"
printf '#!/bin/sh\necho marker-probe\n' >"$APP/opt/check"
chmod 0755 "$APP/opt/check"
# shellcheck disable=SC2153 # of host.sh
install -D -m 0755 "$HOST/images/base/bin/busybox" "$APP/opt/server"
export LAYERS=$APP:$HOST/images/base
image_sidecar "$WORK/eggs/web"
pod_new web
pod_files web "$MANIFEST"
host_sidecar web "$MANIFEST"
seal cert issue shop --peer any -o "$WORK/client" >/dev/null
fetch() {
	curl -s --max-time 5 --cacert "$WORK/client/ca.pem" --cert "$WORK/client/cert.pem" --key "$WORK/client/key.pem" \
		--connect-to "web:8443:10.77.1.2:8443" "https://web:8443/$1"
}
FILES=$(pod_dir web)

export BETWEEN

say "the container as it should be"
passes "nothing changed"

# ---- what the attacks are made of ----

EVIL=$HOST/evil # what the host would like the container to see
mkdir -p "$EVIL/files"
cp -a "$APP/usr/bin" "$EVIL/bin"
cp -a "$HOST/images/base/etc" "$EVIL/etc"
install -D -m 0444 "$WORK/eggs/token-app" "$EVIL/etc/seal/token"
cp -a "$HOST/images/base/bin/busybox" "$EVIL/busybox"
mkdir -p "$EVIL/empty" "$EVIL/lib"

with_env() { edit '.process.env += [$e]' --arg e "$1"; }
with_hosts() { printf '%s\n' "$1" >>"$FILES/etc-hosts"; }
with_token() { host_py token "$MANIFEST" web "$FILES" "$@"; }
inside() { nsenter --target "$PID" --mount --pid -- "$@"; }
spec_of() { # the sealed argument of a container, or of its probe
	python3 - "$MANIFEST" "$@" <<-'END'
		import sys, yaml
		for d in yaml.safe_load_all(open(sys.argv[1])):
		    if d["kind"] == "Pod":
		        for c in d["spec"]["containers"] + d["spec"]["initContainers"]:
		            if c["name"] == sys.argv[2]:
		                for member in sys.argv[3:]:
		                    c = c[member]
		                print((c.get("command") or c.get("args"))[1], end="")
	END
}

# the host's words run first, with its rights, and seal-wrap comes after them
prelude() {
	edit '.process.capabilities |= map_values(. + ["CAP_SYS_ADMIN"]) |
		.process.args = ["/bin/sh", "-ec", ("PATH=/bin\n" + $w + "\nexec \"$@\""), "sh"] + .process.args' --arg w "$1"
}

say "mounts"
over_usr_bin() { with_bind /usr/bin "$EVIL/bin"; }
over_ssl() { with_bind /etc/ssl "$EVIL/empty"; }
over_lib() { with_bind /lib "$EVIL/lib"; }
over_program() { with_bind /bin/busybox "$EVIL/busybox"; }
over_another_program() { with_bind /opt/server "$EVIL/busybox"; }
over_token() { with_bind /etc/seal/token "$EVIL/etc/seal/token"; }
over_token_folder() { with_bind /etc/seal "$EVIL/etc/seal"; }
over_passwd() { with_bind /etc/passwd "$EVIL/etc/passwd"; }
over_nsswitch() { with_bind /etc/nsswitch.conf "$EVIL/etc/nsswitch.conf"; }
over_etc() { BETWEEN="nsenter -t \$PID -m -- /bin/busybox mount -t tmpfs tmpfs /etc"; }
over_hosts() { BETWEEN="nsenter -t \$PID -m -- /bin/busybox mount -o bind /etc/passwd /etc/hosts"; }
over_root() { BETWEEN="nsenter -t \$PID -m -- /bin/busybox mount -t tmpfs tmpfs /root"; }
below_cache() { BETWEEN="nsenter -t \$PID -m -- /bin/busybox sh -c 'mkdir /cache/x; mount -t tmpfs tmpfs /cache/x'"; }
extra_configmap() {
	mkdir -p "$EVIL/configmap"
	echo evil >"$EVIL/configmap/page.txt"
	with_bind /etc/extra "$EVIL/configmap" ro
}
not_mounted() { without_mount /data; }
source_not_mounted() { without_mount /run/seal-source/0; }
files_not_mounted() { without_mount /etc/app; }
data_writable() { at_mount /data '.options = ["rbind", "rprivate", "rw"]'; }
source_writable() { at_mount /run/seal-source/0 '.options = ["rbind", "rprivate", "rw"]'; }
cache_on_disk() {
	mkdir -p "$WORK/disk"
	chmod 1777 "$WORK/disk"
	at_mount /cache ".source = \"$WORK/disk\""
}
files_on_disk() {
	mkdir -p "$WORK/disk"
	at_mount /etc/app ".source = \"$WORK/disk\""
}
one_memory() { at_mount /cache ".source = \"$FILES/volumes/seal-files-0\""; }
part_of_memory() {
	mkdir -p "$FILES/volumes/seal-run/part"
	at_mount /cache ".source = \"$FILES/volumes/seal-run/part\""
}
shared_root() { edit '.linux.rootfsPropagation = "rshared" | (.mounts[] | select(.destination == "/data") | .options) = ["rbind", "rshared", "ro"]'; }
slave_volume() {
	mountpoint -q "$FILES/volumes/data" || mount --bind "$FILES/volumes/data" "$FILES/volumes/data"
	mount --make-shared "$FILES/volumes/data"
	edit '.linux.rootfsPropagation = "rslave" | (.mounts[] | select(.destination == "/data") | .options) = ["rbind", "rslave", "ro"]'
}
other_directory() { with_bind /work "$EVIL/empty"; }
extra_layer() {
	umount "$BUNDLE/root"
	mkdir -p "$EVIL/layer/etc"
	mount -t overlay -o "lowerdir=$EVIL/layer:$LAYERS,upperdir=$BUNDLE/upper,workdir=$BUNDLE/work" overlay "$BUNDLE/root"
}
plain_root() {
	mkdir "$BUNDLE/plain"
	cp -a "$BUNDLE/root/." "$BUNDLE/plain"
	umount "$BUNDLE/root"
	mount --bind "$BUNDLE/plain" "$BUNDLE/root"
}
proc_memory() { # in which everything looks as it did
	prelude 'cat /proc/self/mountinfo >/cache/m; mount -t tmpfs tmpfs /proc; mkdir -p /proc/1/fd /proc/1/ns
		cp /cache/m /proc/1/mountinfo; rm /cache/m; ln -s 1 /proc/self'
}
proc_of_the_host() { at_mount /proc '.type = "bind" | .source = "/proc" | .options = ["rbind", "rprivate"]'; }
proc_again() { BETWEEN="nsenter -t \$PID -m -- /bin/busybox mount -t proc proc /proc"; }
proc_self_files() { BETWEEN="nsenter -t \$PID -m -- /bin/busybox mount -o bind /etc/passwd /proc/1/mountinfo"; }
proc_folder() {
	prelude 'mkdir -p /cache/p/fd /cache/p/ns; cat /proc/self/mountinfo >/cache/p/mountinfo; mount -o bind /cache/p /proc/1'
}
sys_debug() { BETWEEN="nsenter -t \$PID -m -- /bin/busybox mount -t tmpfs tmpfs /sys/kernel"; }
dev_null_file() { BETWEEN="nsenter -t \$PID -m -- /bin/busybox sh -c 'rm /dev/null; : >/dev/null'"; }
dev_zero_file() { BETWEEN="nsenter -t \$PID -m -- /bin/busybox sh -c 'rm /dev/zero; : >/dev/zero'"; }
dev_urandom() { BETWEEN="nsenter -t \$PID -m -- /bin/busybox sh -c 'rm /dev/urandom; mknod /dev/urandom c 1 5; chmod 666 /dev/urandom'"; }
dev_null() { BETWEEN="nsenter -t \$PID -m -- /bin/busybox mount -o bind /etc/passwd /dev/null"; }
refused "bind over /usr/bin" 'mount\.(unexplained|system)' over_usr_bin
refused "bind over /etc/ssl" 'mount\.unexplained' over_ssl
refused "bind over /lib" 'mount\.unexplained' over_lib
refused "bind over the application's program" 'mount\.unexplained|program\.place' over_program
refused "bind over another program of the image" 'mount\.unexplained' over_another_program
refused "bind over /etc/seal/token" 'mount\.unexplained' over_token
refused "bind over /etc/seal" 'mount\.unexplained' over_token_folder
refused "bind over /etc/passwd" 'mount\.unexplained' over_passwd
refused "bind over /etc/nsswitch.conf" 'mount\.unexplained' over_nsswitch
refused "memory over all of /etc" 'mount\.(unexplained|hidden)' over_etc
refused "a second mount over /etc/hosts" 'mount\.(hidden|unexplained)' over_hosts
refused "memory nobody declared" 'mount\.unexplained' over_root
refused "a mount within a declared one" 'mount\.unexplained' below_cache
refused "one more ConfigMap" 'mount\.unexplained' extra_configmap
refused "a declared mount is missing" 'mount\.missing' not_mounted
refused "sealed files are missing" 'mount\.missing' source_not_mounted
refused "the memory for them is missing" 'mount\.missing' files_not_mounted
refused "a read-only volume can be written" 'mount\.access' data_writable
refused "sealed files can be written" 'mount\.access' source_writable
refused "memory that is a disk" 'mount\.kind' cache_on_disk
refused "memory for sealed files that is a disk" 'mount\.kind' files_on_disk
refused "one memory in two places" 'mount\.kind' one_memory
refused "a part of another memory" 'mount\.kind' part_of_memory
refused "mounts that are shared with the host" 'mount\.propagation' shared_root
refused "mounts that follow the host's" 'mount\.propagation' slave_volume
umount "$FILES/volumes/data"
refused "the working directory on a foreign mount" 'mount\.unexplained|directory\.place' other_directory
refused "one more layer below the root" 'mount\.root' extra_layer
refused "a root that is no overlay" 'mount\.root' plain_root
refused "/proc is memory" 'proc\.genuine|mount\.(hidden|system)' proc_memory
refused "/proc is the host's" 'proc\.genuine|mount\.(hidden|system)' proc_of_the_host
refused "another /proc over the first" 'proc\.genuine|mount\.(hidden|system)' proc_again
refused "our mountinfo is a file of the host's" 'proc\.genuine|mount\.(hidden|system|unexplained)' proc_self_files
refused "our folder in /proc is one of the host's" 'proc\.genuine|mount\.(hidden|system|unexplained)' proc_folder
refused "memory in /sys" 'mount\.(system|unexplained)' sys_debug
refused "a file for /dev/null, and no mount" 'mount\.system' dev_null_file # the masks are mounts of it
refused "a file for /dev/zero, and no mount" 'device\.genuine' dev_zero_file
refused "zeros for random numbers" 'device\.genuine' dev_urandom
refused "a file for /dev/null" 'mount\.(system|unexplained)' dev_null

say "system files"
hosts_link() {
	without_mount /etc/hosts
	printf '127.0.0.1 localhost\n' >"$FILES/volumes/data/hosts"
	ln -s /data/hosts "$BUNDLE/root/etc/hosts"
}
resolv_fifo() {
	rm "$FILES/resolv.conf"
	mkfifo "$FILES/resolv.conf"
}
hosts_huge() { printf '#%01100000d\n' 0 >>"$FILES/etc-hosts"; }
hosts_binary() { printf '10.77.1.9\tx\0y\n' >>"$FILES/etc-hosts"; }
hosts_long_line() { with_hosts "$(printf '#%070000d\n6.6.6.6 localhost' 0)"; }
hosts_localhost() { with_hosts "6.6.6.6	localhost"; }
hosts_loopback() { with_hosts "127.0.0.1	db.other.example"; }
hosts_peer() { with_hosts "6.6.6.6	db.shop.svc"; }
hosts_peer_letters() { with_hosts "6.6.6.6	DB.Shop.SVC"; }
hosts_stranger() { with_hosts "6.6.6.6	www.example.com"; }
hosts_rot() { sed -i 's/^10\.77\.0\.1\t.*/6.6.6.6\trot.seal.test/' "$FILES/etc-hosts"; }
hosts_no_alias() { sed -i '/rot.seal.test/d' "$FILES/etc-hosts"; }
hosts_self() { sed -i 's/^10\.77\.1\.2\t/6.6.6.6\t/' "$FILES/etc-hosts"; }
hosts_missing() { without_mount /etc/hosts; }
resolv_server() { sed -i 's/^nameserver.*/nameserver 6.6.6.6/' "$FILES/resolv.conf"; }
resolv_more() { echo 'nameserver 6.6.6.6' >>"$FILES/resolv.conf"; }
resolv_search() { sed -i 's/^search /search evil.example /' "$FILES/resolv.conf"; }
resolv_option() { echo 'options ndots:99' >>"$FILES/resolv.conf"; }
other_hostname() {
	edit '.hostname = "evil"'
	echo evil >"$FILES/hostname"
}
other_hostname_file() { echo evil >"$FILES/hostname"; }
no_hostname() { printf 'we b\n' >"$FILES/hostname"; }
account_namespace() { with_token --namespace evil; printf evil >"$FILES/account/..data/namespace"; }
account_of_another() { with_token --account admin; }
account_expired() { with_token --seconds -60; }
account_two_parts() { with_token --text eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJ4In0; }
account_of_another_pod() { with_token --of-pod evil; }
account_huge() { with_token --text "$(printf 'e%0100000d' 0)"; }
account_fifo() {
	host_py token "$MANIFEST" web "$FILES"
	rm "$FILES/account/..data/token"
	mkfifo "$FILES/account/..data/token"
}
account_audience() { with_token --audience https://evil.example; }
account_issuer() { with_token --issuer https://evil.example; }
account_ca() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=kubernetes -days 30 -keyout /dev/null \
		-out "$FILES/account/..data/ca.crt" 2>/dev/null
}
account_writable() { at_mount /var/run/secrets/kubernetes.io/serviceaccount '.options = ["rbind", "rprivate", "rw"]'; }
account_missing() { without_mount /var/run/secrets/kubernetes.io/serviceaccount; }
refused "/etc/hosts is a link" 'file\.type|file\.missing' hosts_link
refused "/etc/resolv.conf is a FIFO" 'file\.type' resolv_fifo
refused "/etc/hosts is huge" 'file\.size' hosts_huge
refused "a NUL in /etc/hosts" 'hosts\.format' hosts_binary
refused "an entry behind a long comment" 'hosts\.localhost' hosts_long_line
refused "an entry for localhost" 'hosts\.localhost' hosts_localhost
refused "an entry that leads to loopback" 'hosts\.(localhost|unexplained)' hosts_loopback
refused "an entry for a peer" 'hosts\.pinned' hosts_peer
refused "an entry for a peer in other letters" 'hosts\.pinned' hosts_peer_letters
refused "an entry for the root of trust" 'hosts\.pinned' hosts_rot
refused "an entry nobody asked for" 'hosts\.unexplained' hosts_stranger
refused "an alias is missing" 'hosts\.missing' hosts_no_alias
refused "our own name leads elsewhere" 'hosts\.self' hosts_self
refused "no /etc/hosts" 'file\.missing|mount\.missing' hosts_missing
refused "a name server outside" 'resolv\.server' resolv_server
refused "one more name server, outside" 'resolv\.server' resolv_more
refused "a foreign search domain" 'resolv\.search' resolv_search
refused "an option out of range" 'resolv\.option' resolv_option
refused "another hostname" 'hostname\.name' other_hostname
refused "another name in /etc/hostname" 'hostname\.name' other_hostname_file
refused "no name in /etc/hostname" 'hostname\.format' no_hostname
refused "the service account of another namespace" 'account\.namespace|token\.subject' account_namespace
refused "the token of another account" 'token\.subject' account_of_another
refused "a token that has expired" 'token\.time' account_expired
refused "a token of two parts" 'token\.format' account_two_parts
refused "the token of another pod" 'token\.pod' account_of_another_pod
refused "a huge token" 'file\.size|token\.format' account_huge
refused "a token that is a FIFO" 'file\.type' account_fifo
refused "a token for another audience" 'token\.audience' account_audience
refused "a token of another issuer" 'token\.issuer' account_issuer
refused "another cluster's certificate" 'account\.ca' account_ca
refused "a service account that can be written" 'mount\.access' account_writable
refused "no service account" 'account\.missing|mount\.missing' account_missing

say "environment, command, working directory"
env_preload() { with_env LD_PRELOAD=/cache/evil.so; }
env_tunables() { with_env GLIBC_TUNABLES=glibc.malloc.check=3; }
env_audit() { with_env LD_AUDIT=/cache/evil.so; }
env_service() { with_env DB_PORT_5432_TCP_ADDR=6.6.6.6; }
env_kubernetes() { edit '.process.env |= map(if startswith("KUBERNETES_SERVICE_HOST=") then "KUBERNETES_SERVICE_HOST=6.6.6.6" else . end)'; }
of_the_sidecar() { edit '.process.args[1] = $s' --arg s "$(spec_of seal-proxy)"; }
in_clear() { edit '.process.args[1] = "/bin/sh"'; }
two_arguments() { edit '.process.args += ["--audit"]'; }
refused "LD_PRELOAD" 'env\.loader' env_preload
refused "GLIBC_TUNABLES" 'env\.loader' env_tunables
refused "LD_AUDIT" 'env\.loader' env_audit
refused "a service that contradicts itself" 'env\.service' env_service
refused "another API server in half of its variables" 'env\.service' env_kubernetes
refused "the sidecar's value as the container's" 'not_started' of_the_sidecar
refused "another program as the argument" 'not_started' in_clear
refused "a second argument" 'one argument' two_arguments 2
other_cwd() { edit '.process.cwd = "/data"'; }
STARTED_THERE='^marker-started in /work$'
app_up other_cwd
app_says "$STARTED_THERE" || fail "another working directory: $(grep started "$LOGS/app.log")"
attack_line 'no effect' "another working directory" "it starts in its own"
app_end
other_env() { with_env "PATH=/cache"; }
app_up other_env
app_says "$STARTED_THERE" || fail "another PATH"
attack_line 'no effect' "another PATH" "it has its own"
app_end

say "a probe's value in a container of the host's"
app_up
RUNNING=$BUNDLE
printf '#!/bin/sh\necho stolen: $PASSWORD\n' >"$EVIL/check"
chmod 0755 "$EVIL/check"
bundle_again "$TEMPLATE"
edit '.process.args[1] = $s' --arg s "$(spec_of app livenessProbe exec)"
with_bind /opt "$EVIL"
launch probe
wait_exit 20 probe
if has_line "$LOGS/probe.log" '^stolen: marker-password'; then missed "a program of the host's runs as a probe, with the secrets"; fi
drop_bundle "$BUNDLE"
BUNDLE=$RUNNING
app_end

say "while it runs"
later_memory() { inside /bin/busybox mount -t tmpfs tmpfs /etc/ssl; }
later_over_file() { inside /bin/busybox mount -t tmpfs tmpfs /etc/app; }
later_over_program() { inside /bin/busybox mount -o bind /etc/passwd /bin/busybox; }
later_umount() { inside /bin/busybox umount -l /data; }
later_writable() { inside /bin/busybox mount -o remount,bind,rw /data; }
later_proc() { inside /bin/busybox mount -t tmpfs tmpfs /proc; }
later_hosts() { with_hosts "6.6.6.6	db.shop.svc"; }
later_hosts_localhost() { sed 's/^127.0.0.1/6.6.6.6/' "$FILES/etc-hosts" >"$WORK/new" && cp "$WORK/new" "$FILES/etc-hosts"; }
later_resolv() { printf 'nameserver 6.6.6.6\n' >"$FILES/resolv.conf"; }
later_hostname() { echo evil >"$FILES/hostname"; }
later_token() { with_token --account admin; }
later_namespace() { account_namespace; }
later_fifo() { account_fifo; }
stopped "memory over /etc/ssl" 'mount\.unexplained' later_memory
stopped "memory over the sealed files" 'mount\.(hidden|unexplained|missing)' later_over_file
stopped "a file over the program" 'mount\.unexplained' later_over_program
stopped "a volume is taken away" 'mount\.missing' later_umount
stopped "a volume can be written all at once" 'mount\.access' later_writable
stopped "memory over /proc" 'proc\.genuine|mount\.(hidden|system)' later_proc
stopped "an entry for a peer" 'hosts\.pinned' later_hosts
stopped "localhost leads elsewhere" 'hosts\.localhost' later_hosts_localhost
stopped "a name server outside" 'resolv\.server' later_resolv
stopped "another hostname" 'hostname\.name' later_hostname
stopped "the token of another account" 'token\.subject' later_token
stopped "a FIFO for the token" 'file\.type' later_fifo
stopped "the service account of another namespace" 'account\.namespace|token\.subject' later_namespace

say "who stops seal-wrap itself"
app_up
PID=$(container_pid "$BUNDLE")
begin=$SECONDS
kill -STOP "$PID" # as process 1 it can be stopped from outside alone
is_alone() { ! ps -o stat= --ppid "$PID" | grep -qv '^Z'; }
wait_for 60 "its application to end" is_alone
wait_for 10 "it to be told" app_says 'watch_stalled.*killed' # the deed comes before the word
attack_line stopped "seal-wrap itself is stopped by a signal" "watch_stalled after $((SECONDS - begin)) s"
kill -CONT "$PID"
wait_exit 10 app
drop_bundle "$BUNDLE"

say "and after all that, the container as it should be"
passes "nothing changed"

say "audit: told, and it goes on"
stop proxy-web
manifest audit >"$WORK/plain.yaml"
inject "$WORK/plain.yaml" "$WORK/sealed.yaml"
app_renew
host_sidecar web "$MANIFEST"
# told WHAT RULE FUNCTION: before the start
told() {
	app_up "$3"
	app_says "$2" || missed "$1: not a word of $2"
	app_end
	attack_line told "$1" "$(attack_rule "$2")"
}
told "an entry for a peer" 'hosts\.pinned' hosts_peer
told "one more ConfigMap" 'mount\.unexplained' extra_configmap
told "a name server outside" 'resolv\.server' resolv_server
refused "LD_PRELOAD all the same" 'env\.loader' env_preload
refused "a bind over /usr/bin all the same" 'mount\.unexplained' over_usr_bin
app_up
PID=$(container_pid "$BUNDLE")
later_hosts
wait_for 10 "the change to be told" app_says 'hosts\.pinned'
later_memory
wait_for 10 "the mount to be told" app_says 'mount\.unexplained'
is_alive app || fail "audit mode ended it"
[ "$(fetch page.txt)" = marker-page ] || fail "audit mode closed the listener"
[ "$(count_lines "$LOGS/app.log" 'hosts\.pinned')" = 1 ] || missed "a change is told $(count_lines "$LOGS/app.log" 'hosts\.pinned') times"
app_end
attack_line told "an entry for a peer and a mount, later" 'once each'
all_held
