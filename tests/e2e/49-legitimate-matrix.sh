#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What must pass: pods as people write them, started by runc as kubelet and containerd, or CRI-O, would, whose
# applications start, serve, and go on while the kubelet does its work; and what they look like in Kata's guests.
# Takes: 29 s
. "$(dirname "$0")/lib.sh"
. "$SUPPORT/sealed.sh"
. "$SUPPORT/host.sh"
VERIFY=$SEAL_BUILD/seal-verify

rot_up
seal peer allow shop any web >/dev/null
host_setup
mint_sealed "$WORK/eggs/web" shop --peer web --container app
image_base
APP=$(image_app app "$WORK/eggs/token-app")
mkdir -p "$APP"/{work,usr/share/pages,opt}
printf '#!/bin/sh\necho marker-started as a script\nexec httpd -f -p 127.0.0.1:8080 -h /etc/app\n' >"$APP/opt/serve"
chmod 0755 "$APP/opt/serve"
export LAYERS=$APP:$HOST/images/base
image_sidecar "$WORK/eggs/web"
pod_new web
seal cert issue shop --peer any -o "$WORK/client" >/dev/null
fetch() {
	curl -s --max-time 5 --cacert "$WORK/client/ca.pem" --cert "$WORK/client/cert.pem" --key "$WORK/client/key.pem" \
		--connect-to "web:8443:10.77.1.2:8443" "https://web:8443/$1"
}
FILES=$(pod_dir web)
export MANIFEST=$WORK/sealed.yaml

# sealed_pod [PATCH [ADDRESS]]: injected, with its sidecar.
sealed_pod() {
	[ -z "${PIDS[proxy-web]:-}" ] || stop proxy-web
	[ ! -d "$FILES" ] || { awk -v at="$FILES/" 'index($2, at) == 1 { print $2 }' /proc/mounts | sort -r | xargs -r umount -l; rm -rf "$FILES"; }
	host_py compose "${1:-}" "$WORK/plain.yaml" || fail "no pod of $1"
	inject "$WORK/plain.yaml" "$WORK/sealed.yaml" 2>"$WORK/said" || fail "it cannot be injected: $(cat "$WORK/said")"
	pod_files web "$MANIFEST"
	host_sidecar web "$MANIFEST"
	place_files
	app_template
}

# what a row needs of the host besides its patch
following() {
	mountpoint -q "$FILES/volumes/data" || mount --bind "$FILES/volumes/data" "$FILES/volumes/data"
	mount --make-shared "$FILES/volumes/data"
}
on_the_host() { edit '.hostname = "node-1"' && echo node-1 >"$FILES/hostname"; }

# row WHAT PATCH [FUNCTION]: such a pod starts and serves.
row() {
	local what=$1
	sealed_pod "$2"
	passes "$what" ${3:+"$3"}
}

say "pods as people write them"
row "nothing special" ''
row "hostAliases" '{hostAliases: [{ip: 192.0.2.10, hostnames: [db.example, DB2.example]}, {ip: "2001:db8::1", hostnames: [six.example]}]}'
row "dnsPolicy None" '{dnsPolicy: None, dnsConfig: {nameservers: [192.0.2.53, "2001:db8::53"], searches: [example.org], options: [{name: ndots, value: "2"}, {name: edns0}]}}'
row "dnsPolicy Default" '{dnsPolicy: Default}'
row "ClusterFirst and more of dnsConfig" '{dnsConfig: {nameservers: [192.0.2.53], searches: [corp.example], options: [{name: timeout, value: "3"}]}}'
row "hostname and subdomain" '{hostname: front, subdomain: nginx}'
row "a projected token, and the account" '{serviceAccountName: web, volumes: [{name: vault, projected: {sources: [{serviceAccountToken: {path: token, audience: vault, expirationSeconds: 600}}]}}],
	app: {volumeMounts: [{name: vault, mountPath: /var/run/secrets/vault}]}}'
row "no service account" '{automountServiceAccountToken: false}'
row "a service account by name" '{serviceAccountName: web, automountServiceAccountToken: true}'
row "a read-only root" '{volumes: [{name: tmp, emptyDir: {medium: Memory}}], app: {securityContext: {readOnlyRootFilesystem: true}, volumeMounts: [{name: tmp, mountPath: /tmp}]}}'
row "another user, nothing more to be got" '{securityContext: {runAsUser: 1000, runAsGroup: 1000, fsGroup: 1000},
	metadata: {annotations: {seal-control.io/file-access: all}}, app: {securityContext: {allowPrivilegeEscalation: false}}}'
row "no service links" '{enableServiceLinks: false}'
row "a program that is a script" '{app: {command: [/opt/serve]}}'
row "shared memory of its own" '{volumes: [{name: shm, emptyDir: {medium: Memory}}], app: {volumeMounts: [{name: shm, mountPath: /dev/shm}]}}'
row "another file for last words" '{app: {terminationMessagePath: /tmp/last-words}}'
row "mounts in the image's folders" '{volumes: [{name: pages, emptyDir: {}}, {name: certs, configMap: {name: settings}}],
	app: {volumeMounts: [{name: pages, mountPath: /usr/share/pages}, {name: certs, mountPath: /etc/ssl/certs}]}}'
row "a mount within a mount" '{volumes: [{name: data, emptyDir: {}}, {name: fast, emptyDir: {medium: Memory}}],
	app: {volumeMounts: [{name: data, mountPath: /data}, {name: fast, mountPath: /data/fast}]}}'
row "one volume in two places" '{volumes: [{name: data, emptyDir: {}}], app: {volumeMounts: [{name: data, mountPath: /data}, {name: data, mountPath: /mirror, readOnly: true}]}}'
row "one memory in two places, as declared" '{volumes: [{name: fast, emptyDir: {medium: Memory}}], app: {volumeMounts: [{name: fast, mountPath: /fast}, {name: fast, mountPath: /mirror}]}}'
row "parts of one memory in two places" '{volumes: [{name: tmp, emptyDir: {medium: Memory}}],
	app: {volumeMounts: [{name: tmp, mountPath: /tmp, subPath: tmp}, {name: tmp, mountPath: /var/cache, subPath: cache}]}}'
row "a part of a volume" '{volumes: [{name: data, emptyDir: {}}], app: {volumeMounts: [{name: data, mountPath: /data, subPath: a/b}]}}'
row "a part of a memory" '{volumes: [{name: fast, emptyDir: {medium: Memory}}], app: {volumeMounts: [{name: fast, mountPath: /fast, subPath: a}]}}'
row "one file of a ConfigMap" '{app: {volumeMounts: [{name: settings, mountPath: /opt/page.txt, subPath: page.txt}]}}'
row "a volume that follows the host" '{volumes: [{name: data, emptyDir: {}}], app: {volumeMounts: [{name: data, mountPath: /data, mountPropagation: HostToContainer}]}}' following
row "the working directory on a declared volume" '{volumes: [{name: data, emptyDir: {}}], app: {workingDir: /data, volumeMounts: [{name: data, mountPath: /data}]}}'
row "the host's network" '{hostNetwork: true, dnsPolicy: ClusterFirstWithHostNet}' on_the_host
row "the host's network and name servers" '{hostNetwork: true}' on_the_host

say "pods of controllers"
row "a Deployment's" '{kind: Deployment}'
another_pod() { host_py token "$MANIFEST" web "$FILES" --of-pod other-6d4cf56db6-x7k2p; }
refused "the token of another pod" 'token\.pod' another_pod
another_name() { echo web >"$FILES/hostname" && edit '.hostname = "web"'; }
refused "a name that none of its pods has" 'hostname\.name' another_name
row "a StatefulSet's" '{kind: StatefulSet, more: {serviceName: nginx}}'
row "a DaemonSet's, with its own name for them" '{kind: DaemonSet, hostname: front}'
row "a Job's" '{kind: Job, restartPolicy: Never}'

say "hosts of other kinds"
crio_files() { # in /run, and two more
	mkdir -p "$HOST/crio/run"
	edit '(.mounts[] | select(.destination == "/etc/resolv.conf" or .destination == "/etc/hostname") | .options) += ["nodev", "nosuid", "noexec"]'
	: >"$HOST/crio/.containerenv"
	edit '.mounts += [{destination: "/run/.containerenv", type: "bind", source: $s, options: ["rbind", "rprivate", "rw"]}]' --arg s "$HOST/crio/.containerenv"
}
newer_masks() { edit '.linux.maskedPaths += ["/sys/devices/virtual/powercap", "/proc/interrupts", "/proc/latency_stats"]'; }
no_cgroup() { edit '.mounts |= map(select(.destination != "/sys/fs/cgroup"))'; }
cgroup_two() { edit '(.mounts[] | select(.destination == "/sys/fs/cgroup")) |= {destination, type: "cgroup2", source: "cgroup", options: ["nosuid", "noexec", "nodev", "relatime", "ro"]}'; }
own_cgroups() { edit '.linux.namespaces += [{type: "cgroup"}]'; }
run_link() {
	rmdir "$BUNDLE/root/var/run" 2>/dev/null || true
	ln -s /run "$BUNDLE/root/var/run"
}
many_layers() {
	umount "$BUNDLE/root"
	mkdir -p "$HOST/many"/{1,2,3,4,5}
	mount -t overlay -o "lowerdir=$HOST/many/1:$HOST/many/2:$HOST/many/3:$HOST/many/4:$HOST/many/5:$LAYERS,upperdir=$BUNDLE/upper,workdir=$BUNDLE/work" overlay "$BUNDLE/root"
}
sealed_pod ''
passes "CRI-O: files in /run, .containerenv" crio_files
passes "newer runtimes mask more" newer_masks
passes "no cgroups" no_cgroup
[ ! -d /sys/fs/cgroup/unified ] || passes "cgroups of the second version" cgroup_two
passes "cgroups of its own" own_cgroups
passes "/var/run is a link" run_link
passes "a root of many layers" many_layers

say "the kubelet does its work"
app_up
PID=$(container_pid "$BUNDLE")
# goes_on WHAT: for a second more; what takes longer to be noticed ends one of those that follow.
goes_on() {
	local end
	end=$(($(date +%s%N) + 1000000000))
	while [ "$(date +%s%N)" -lt "$end" ]; do
		[ "$(fetch page.txt)" = "$PAGE" ] || { missed "$1: $(grep -v marker "$LOGS/app.log" | tail -n 2)" && return; }
		sleep 0.1
	done
	attack_line passes "$1" ''
}
PAGE=marker-page
host_py token "$MANIFEST" web "$FILES"
goes_on "the token is renewed"
cp "$FILES/resolv.conf" "$WORK/resolv"
cp "$WORK/resolv" "$FILES/resolv.conf"
goes_on "resolv.conf is written again"
cp "$FILES/etc-hosts" "$WORK/etc-hosts"
cp "$WORK/etc-hosts" "$FILES/etc-hosts"
goes_on "hosts is written again"
python3 - "$FILES/etc-hosts" "$FILES/resolv.conf" <<'EOF'
import sys, time
for wait in (0, 0.002, 0.02):
    for path in sys.argv[1:] * 3:
        time.sleep(0.15)
        with open(path, encoding="utf-8") as stream:
            text = stream.read()
        with open(path, "w", encoding="utf-8") as out:  # empty for a moment, as with the kubelet
            time.sleep(wait)
            out.write(text)
EOF
goes_on "both are written again and again"
echo "all is done" >"$BUNDLE/termination-log"
nsenter --target "$PID" --mount -- /bin/busybox touch /tmp/x /work/y
goes_on "the application writes its files"
sed 's/page.txt: marker-page/page.txt: marker-newer/' "$WORK/plain.yaml" | python3 -c 'import sys
print(sys.stdin.read().split("---")[0])' >"$WORK/update.yaml"
inject "$WORK/update.yaml" "$WORK/update-sealed.yaml"
python3 - "$WORK/sealed.yaml" "$WORK/update-sealed.yaml" >"$WORK/second.yaml" <<'EOF'
import sys, yaml
documents = list(yaml.safe_load_all(open(sys.argv[1])))
documents[0] = next(yaml.safe_load_all(open(sys.argv[2])))
yaml.safe_dump_all(documents, sys.stdout)
EOF
pod_files web "$WORK/second.yaml"
is_page() { [ "$(fetch page.txt)" = "$1" ]; }
wait_for 10 "the newer page" is_page marker-newer
PAGE=marker-newer
goes_on "a ConfigMap is updated"
is_alive app || fail "it ended"

say "seal-verify sees the same from outside"
expect_exit 0 "$VERIFY" -q --pid "$PID"
expect_exit 0 "$VERIFY" --learn --pid "$PID"
cp "$WORK/out" "$WORK/learned.yaml"
expect_exit 0 "$VERIFY" -q --policy "$WORK/learned.yaml" --pid "$PID"
cat "/proc/$PID/mountinfo" >"$WORK/mountinfo"
saved=$WORK/saved
mkdir -p "$saved"/{etc,proc/self,var/run/secrets/kubernetes.io/serviceaccount}
cp "$FILES/etc-hosts" "$saved/etc/hosts"
cp "$FILES/resolv.conf" "$FILES/hostname" "$saved/etc/"
cp -L "$FILES"/account/{token,ca.crt,namespace} "$saved/var/run/secrets/kubernetes.io/serviceaccount/"
app_end

say "as Kata's guests show it"
cat >"$WORK/kata.yaml" <<'EOF'
version: 1
mode: enforce
mounts:
- {path: /etc/app, source: memory}
- {path: /run/seal, source: memory}
- {path: /run/seal-source/0, source: volume, readOnly: true}
pod: {namespace: shop, hostname: web}
account: {mounted: "yes", name: default}
EOF
# kata FORM SED...: the table with the columns of file systems as such a guest has them.
kata() {
	local form=$1
	shift
	sed -E "$@" "$WORK/mountinfo" >"$saved/proc/self/mountinfo"
	STATUS=0
	"$VERIFY" -q --policy "$WORK/kata.yaml" --root "$saved" >"$WORK/said" 2>&1 || STATUS=$?
	if [ "$STATUS" = 0 ]; then
		attack_line passes "$form" ''
	else
		missed "$form: $(head -n 3 "$WORK/said")"
	fi
}
NO_CGROUP='/ \/sys\/fs\/cgroup/d'
FILES_IN='(\/etc\/hosts|\/etc\/hostname|\/etc\/resolv.conf|\/dev\/termination-log|\/run\/seal-source\/0|\/var\/run\/secrets\/kubernetes.io\/serviceaccount)'
kata "as runc shows it" -e ''
# shellcheck disable=SC2016
kata "virtiofs, shared with the host" -e "$NO_CGROUP" -e 's/^([0-9]+ [0-9]+) [^ ]+ \/ \/ (rw[^ ]*) - .*/\1 0:28 \/ \/ \2 - virtiofs kataShared rw/' \
	-e "s/^([0-9]+ [0-9]+) [^ ]+ [^ ]+ $FILES_IN ([^ ]+) - .*/\\1 0:28 \\/passthrough\\/924d3c8d751baeda-x \\2 \\3 - virtiofs kataShared rw/"
kata "a block device for the root" -e "$NO_CGROUP" -e 's/^([0-9]+ [0-9]+) [^ ]+ \/ \/ (rw[^ ]*) - .*/\1 254:16 \/rootfs \/ \2 - ext4 \/dev\/vdb rw/' \
	-e "s/^([0-9]+ [0-9]+) [^ ]+ [^ ]+ $FILES_IN ([^ ]+) - .*/\\1 0:28 \\/passthrough\\/924d3c8d751baeda-x \\2 \\3 - virtiofs kataShared rw/"
kata "the image pulled in the guest, files copied into it" -e "$NO_CGROUP" \
	-e 's/^([0-9]+ [0-9]+) [^ ]+ \/ \/ (rw[^ ]*) - .*/\1 0:39 \/ \/ \2 - overlay overlay rw,lowerdir=\/run\/image\/layers\/1:\/run\/image\/layers\/0,upperdir=\/run\/kata-containers\/1\/fs,workdir=\/run\/kata-containers\/1\/work/' \
	-e "s/^([0-9]+ [0-9]+) [^ ]+ [^ ]+ $FILES_IN ([^ ]+) - .*/\\1 0:24 \\/kata-containers\\/shared\\/containers\\/1-x \\2 \\3 - tmpfs tmpfs rw,mode=755/"
all_held
