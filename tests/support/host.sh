# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# A host that runs sealed pods with runc, for end-to-end scripts; sourced after lib.sh and sealed.sh.  host.py makes
# what kubelet and containerd make; here are images, the sidecar, and what is expected of a container that was
# tampered with: that its application never spoke, or that it was stopped and the sidecar lets nobody in.

need runc busybox python3 jq curl

HOST=$WORK/pods/host # a tmpfs: overlays can be made on it
RUNC_STATE=$HOST/state
CLUSTER_CA=$HOST/ca.crt

host_finish() {
	local id
	[ -z "${HOST_SERVER_PID:-}" ] || kill "$HOST_SERVER_PID"
	for id in $(runc --root "$RUNC_STATE" list -q 2>/dev/null); do
		runc --root "$RUNC_STATE" delete --force "$id" >/dev/null 2>&1
	done
	rmdir /sys/fs/cgroup/*/seal-e2e-* /sys/fs/cgroup/seal-e2e-* 2>/dev/null
}

host_setup() {
	HOOKS+=(host_finish)
	mkdir -p "$HOST/images" "$RUNC_STATE" "$HOST/bundles" "$HOST/pods"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=kubernetes -days 30 -keyout /dev/null \
		-out "$CLUSTER_CA" 2>/dev/null || fail "no certificate for the cluster"
}

# ---- images: folders, one for each layer ----

# image_base: busybox under its usual names, the files that every image has.
image_base() {
	local root=$HOST/images/base applet
	mkdir -p "$root"/{bin,lib,usr/bin,usr/lib,etc/ssl/certs,tmp,run,var,root,proc,sys,dev}
	install -m 0755 "$(command -v busybox)" "$root/bin/busybox"
	for applet in sh cat cp echo env httpd id ln ls mkdir mount pwd rm sleep true; do ln -sf busybox "$root/bin/$applet"; done
	printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n' >"$root/etc/passwd"
	printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"
	printf 'hosts: files dns\n' >"$root/etc/nsswitch.conf"
	cp "$CLUSTER_CA" "$root/etc/ssl/certs/ca-certificates.crt"
	chmod 1777 "$root/tmp"
}

# image_app NAME TOKEN: a layer with seal-wrap and the container's token; its folder on standard output.
image_app() {
	local root=$HOST/images/$1
	mkdir -p "$root"
	install -D -m 0755 "$SEAL_BUILD/seal-wrap" "$root$WRAP"
	install -D -m 0444 "$2" "$root/etc/seal/token"
	printf '%s' "$root"
}

# image_sidecar EGG: seal-proxy with everything its loader looks for.
image_sidecar() {
	local root=$HOST/images/sidecar library
	install -D -m 0755 "$SEAL_BUILD/seal-proxy" "$root$PROXY"
	ldd "$SEAL_BUILD/seal-proxy" | grep -oE '/[^ ]+' | while read -r library; do
		install -D -m 0755 "$(readlink -f "$library")" "$root$library"
	done
	install -D -m 0400 "$1" "$root/etc/seal/egg"
	chown 65532 "$root/etc/seal/egg"
}

# ---- pods and containers ----

net_of() { printf '/proc/%s/ns/net' "${PODS[$1]}"; }
pod_dir() { printf '%s/pods/%s' "$HOST" "$1"; }
# host_py WORD...: host.py, of which one serves all, because most of its time it would only begin.
host_py() {
	local status
	[ -n "${HOST_SERVER_PID:-}" ] || coproc HOST_SERVER { exec python3 "$SUPPORT/host.py" serve; }
	printf '%s\0' "$#" "$@" >&"${HOST_SERVER[1]}"
	read -r status <&"${HOST_SERVER[0]}" || return 1
	return "$status"
}

# pod_files NAME MANIFEST [ADDRESS]: (re)write what the kubelet gives to the pod.
pod_files() {
	mkdir -p "$(pod_dir "$1")"
	cp "$CLUSTER_CA" "$(pod_dir "$1")/ca.crt"
	host_py pod "$2" "$1" "$(pod_dir "$1")" --address "${3:-10.77.1.2}" || fail "the host cannot make the files of $1"
}

# bundle POD MANIFEST CONTAINER LAYERS [OPTION...]: a fresh bundle; its folder in BUNDLE.
bundle() {
	local pod=$1 manifest=$2 container=$3 layers=$4
	shift 4
	BUNDLE_COUNT=$((${BUNDLE_COUNT:-0} + 1))
	BUNDLE=$HOST/bundles/$container-$BUNDLE_COUNT
	mkdir -p "$BUNDLE"
	host_py bundle "$manifest" "$pod" "$container" "$(pod_dir "$pod")" "$BUNDLE" --layers "$layers" --net "$(net_of "$pod")" "$@" ||
		fail "no bundle for $container"
}

# bundle_again: one more like the last of bundle, without asking anybody.
bundle_again() {
	local from=$1
	BUNDLE_COUNT=$((BUNDLE_COUNT + 1))
	BUNDLE=$HOST/bundles/${from##*/}-$BUNDLE_COUNT
	mkdir -p "$BUNDLE"/{upper,work,root}
	: >"$BUNDLE/termination-log"
	chmod 0666 "$BUNDLE/termination-log"
	sed "s#$from\b#$BUNDLE#; s#/seal-e2e-${from##*/}\b#/seal-e2e-${BUNDLE##*/}#" "$from/config.json" >"$BUNDLE/config.json"
	mount -t overlay -o "lowerdir=$LAYERS,upperdir=$BUNDLE/upper,workdir=$BUNDLE/work" overlay "$BUNDLE/root"
}

# edit FILTER [jq option...]: change config.json of the bundle.
edit() {
	local filter=$1
	shift
	jq "$filter" "$BUNDLE/config.json" "$@" >"$BUNDLE/config.new" || fail "cannot edit: $filter"
	mv "$BUNDLE/config.new" "$BUNDLE/config.json"
}

# shellcheck disable=SC2016 # jq's variables
# with_bind DESTINATION SOURCE [OPTION...]
with_bind() {
	local destination=$1 source=$2
	shift 2
	edit '.mounts += [{destination: $d, type: "bind", source: $s, options: (["rbind", "rprivate"] + $ARGS.positional)}]' \
		--arg d "$destination" --arg s "$source" --args "$@"
}
# the mount at a path is changed by a filter, or taken away
at_mount() { edit "(.mounts[] | select(.destination == \$d)) |= ($2)" --arg d "$1"; }
without_mount() { edit '.mounts |= map(select(.destination != $d))' --arg d "$1"; }

# launch NAME [COMMAND]: start the bundle; its output is $LOGS/NAME.log.  The command comes after the container has been
# created, and before its program starts.
launch() {
	local name=$1 between=${2:-}
	: >"$LOGS/$name.log"
	if [ -n "$between" ]; then
		start home "$name" python3 "$SUPPORT/host.py" run "$BUNDLE" "${BUNDLE##*/}" --state "$RUNC_STATE" --between "$between"
	else # the same, in one process of runc
		start home "$name" runc --root "$RUNC_STATE" run --bundle "$BUNDLE" --pid-file "$BUNDLE/pid" "${BUNDLE##*/}"
	fi
}

# The first process of a container.
container_pid() { cat "$1/pid"; }

drop_bundle() {
	umount -l "$1/root" 2>/dev/null || true
	rm -rf "$1"
}

# host_sidecar POD MANIFEST: the sidecar's container, until it is ready.  It finds the root of trust by a hosts file,
# which stands for the cluster's name servers.
host_sidecar() {
	bundle "$1" "$2" seal-proxy "$HOST/images/sidecar" --entrypoint "$PROXY"
	cp "$WORK/hosts" "$HOST/sidecar-hosts"
	at_mount /etc/hosts ".source = \"$HOST/sidecar-hosts\""
	launch "proxy-$1"
	wait_for 30 "the sidecar of $1" is_sealed_settled "$1"
	is_alive "proxy-$1" || fail "the sidecar of $1 ended: $(tail -n 1 "$LOGS/proxy-$1.log")"
}

# ---- one pod, again and again, with one thing changed ----
#
# The pod web with its container app: MANIFEST and LAYERS are what is started, FETCH how its page is got through the
# sidecar.  An attack is a function: before the start it changes the bundle or the files of the pod (mounts in the
# container, once it has been created, go to BETWEEN, as one command), later the running container (its pid in PID).

STARTED='^marker-started' # what the application says first
SERVED=8443               # where the sidecar listens for it
export BETWEEN=

# app_restore: what the host says becomes again what it was for app_template.
app_restore() {
	local file dir account version
	dir=$(pod_dir web)
	account=$dir/account
	for file in etc-hosts resolv.conf hostname; do
		[ -f "$dir/$file" ] && cmp -s "$dir/$file" "$HOST/good/$file" && continue
		[ -f "$dir/$file" ] || rm -f "$dir/$file"
		cat "$HOST/good/$file" >"$dir/$file" # in place: a container may have it mounted
	done
	[ -e "$account" ] || return 0
	for file in token ca.crt namespace; do
		[ -f "$account/..data/$file" ] && cmp -s "$account/..data/$file" "$HOST/good/account/$file" && continue
		version=$(mktemp -d "$account/..good.XXXXXX")
		chmod 0755 "$version"
		cp "$HOST/good/account"/* "$version"
		ln -s "${version##*/}" "$account/..data_tmp"
		mv -T "$account/..data_tmp" "$account/..data"
		return
	done
}

# Init containers of ours, which make places for single files.
place_files() {
	local name
	sed -nE 's/^ *- name: (seal-place[a-z0-9-]*)$/\1/p' "$MANIFEST" | sort -u >"$WORK/places"
	while read -r name; do
		bundle web "$MANIFEST" "$name" "$LAYERS"
		launch place
		wait_exit 20 place
		[ "$STATUS" = 0 ] || fail "$name ended with $STATUS: $(tail -n 2 "$LOGS/place.log")"
		drop_bundle "$BUNDLE"
	done <"$WORK/places"
}

# app_template: what the host says now is good, and what is started next is made from MANIFEST; app_renew: both are.
app_template() {
	rm -rf "$HOST/good"
	mkdir "$HOST/good"
	cp -rL "$(pod_dir web)"/{etc-hosts,resolv.conf,hostname} "$HOST/good"
	[ ! -e "$(pod_dir web)/account" ] || cp -rL "$(pod_dir web)/account/..data" "$HOST/good/account"
	[ -z "${TEMPLATE:-}" ] || drop_bundle "$TEMPLATE"
	bundle web "$MANIFEST" app "$LAYERS"
	umount "$BUNDLE/root"
	TEMPLATE=$BUNDLE
}

app_renew() {
	pod_files web "$MANIFEST"
	app_template
}

# app_launch [FUNCTION]: a fresh container, changed by the function.
app_launch() {
	BETWEEN=
	[ -n "${TEMPLATE:-}" ] || app_renew
	app_restore
	bundle_again "$TEMPLATE"
	[ $# = 0 ] || "$1"
	launch app "$BETWEEN"
}

app_says() { has_line "$LOGS/app.log" "$1"; }
app_serves() { is_gone app || [ "$(fetch page.txt)" = marker-page ]; }
is_refusing() { ! on home bash -c "exec 3<>/dev/tcp/10.77.1.2/$SERVED" 2>/dev/null; }

app_kill() {
	kill -KILL "$(container_pid "$BUNDLE")" 2>/dev/null || true
	wait_exit 10 app
	drop_bundle "$BUNDLE"
}

app_end() {
	stop app
	drop_bundle "$BUNDLE"
}

# app_up [FUNCTION]: which starts, and serves.
app_up() {
	app_launch "$@"
	wait_for 20 "the application" app_serves
	is_alive app || fail "it did not start: $(grep -v '^[0-9]' "$LOGS/app.log" | tail -n 3)"
	app_says "$STARTED" || fail "it serves and has not started"
}

attack_line() { printf '  %-10s %-58s %s\n' "$@"; }

# The lines of seal-wrap, and the first of its rules that is among the wanted.
attack_rule() { grep -vE "$STARTED" "$LOGS/app.log" | grep -oE -m1 -- "$1" | head -n 1 || true; }

# refused WHAT RULES FUNCTION [CODE]: the application never starts, and one of the rules is named.
refused() {
	local what=$1 rules=$2 code=${4:-1} rule
	app_launch "$3"
	wait_for 20 "'$what' to be refused" is_gone_or_started
	if app_says "$STARTED"; then
		app_kill
		missed "$what: the application started"
		return
	fi
	wait_exit 15 app
	drop_bundle "$BUNDLE"
	[ "$STATUS" = "$code" ] || { missed "$what: ended with $STATUS: $(tail -n 2 "$LOGS/app.log")" && return; }
	rule=$(attack_rule "$rules")
	[ -n "$rule" ] || { missed "$what: no $rules in: $(tail -n 3 "$LOGS/app.log")" && return; }
	attack_line refused "$what" "$rule"
}

is_gone_or_started() { is_gone app || app_says "$STARTED"; }
is_stopped() { is_gone app && is_refusing; }

# stopped WHAT RULES FUNCTION [SECONDS]: a running one is stopped, and the sidecar lets nobody in.
stopped() {
	local what=$1 rules=$2 seconds=${4:-12} rule begin took
	app_up
	export PID
	PID=$(container_pid "$BUNDLE")
	begin=$(date +%s%N)
	"$3"
	until is_gone app || [ $(($(date +%s%N) - begin)) -gt $((seconds * SEAL_SLOW * 1000000000)) ]; do sleep 0.05; done
	took=$((($(date +%s%N) - begin) / 1000000))
	if is_alive app; then
		app_end
		missed "$what: still running after $seconds s"
		return
	fi
	wait_exit 5 app
	drop_bundle "$BUNDLE"
	[ "$STATUS" = 1 ] || { missed "$what: ended with $STATUS" && return; }
	rule=$(attack_rule "$rules")
	[ -n "$rule" ] || { missed "$what: no $rules in: $(tail -n 3 "$LOGS/app.log")" && return; }
	is_refusing || { missed "$what: the sidecar still listens" && return; }
	attack_line stopped "$what" "$rule, after $took ms"
}

# What got through is counted, so that one run tells all of it.
MISSED=0
missed() {
	MISSED=$((MISSED + 1))
	attack_line MISSED "$1" ''
}

# passes WHAT [FUNCTION]: it starts and serves.
passes() {
	local what=$1
	shift
	app_launch "$@"
	wait_for 20 "$what" app_serves
	if is_gone app; then
		wait_exit 5 app
		missed "$what: $(grep -vE "$STARTED" "$LOGS/app.log" | tail -n 3)"
	else
		attack_line passes "$what" ''
		app_end
	fi
}

all_held() { [ "$MISSED" = 0 ] || fail "$MISSED of them were not as they must be"; }
