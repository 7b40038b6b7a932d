# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# What every end-to-end script stands on; sourced first.  The script is restarted as the first process
# of namespaces of its own (processes, mounts, network), so whatever it starts, mounts or plugs
# together is gone with it, and ports never collide.  That network is "home", where the root of trust
# runs; pods are further network namespaces, each joined to home by a veth pair, with a mount namespace
# and a root file system of its own: an overlay over /, on which /etc/seal/egg is laid.
#
#   SEAL_BUILD    the build directory that holds the programs      (default: build)
#   SEAL_VECTORS  the folder of test vectors                       (default: ../shared/vectors)
#   SEAL_SLOW     factor on every wait, for instrumented builds    (default: 1)
#   SEAL_LONG     set: the long form of campaigns
#   SEAL_KEEP     set: the work directory stays
#   CI            "true": a skip for want of a package is a failure

set -eEuo pipefail
umask 022

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
SEAL_BUILD=$(readlink -f "${SEAL_BUILD:-$TOP/build}" || printf '%s' "${SEAL_BUILD:-$TOP/build}")
SEAL_VECTORS=${SEAL_VECTORS:-$TOP/../shared/vectors}
SEAL_SLOW=${SEAL_SLOW:-1}
SUPPORT=$TOP/tests/support
TEST=$(basename "$0" .sh)
export TOP SEAL_BUILD SEAL_VECTORS SEAL_SLOW SEAL_E2E_INSIDE

# ---- verdicts -------------------------------------------------------------------------------------

say() { printf '%s\n' "  $*"; }

fail() {
	printf '%s: FAILED: %s\n' "$TEST" "$*" >&2
	exit 1
}

skip() {
	printf '%s: skipped: %s\n' "$TEST" "$*" >&2
	exit 77
}

# need PROGRAM...: outside programs this script cannot do without.
need() {
	local program
	for program in "$@"; do
		command -v "$program" >/dev/null 2>&1 && continue
		[ "${CI:-}" != true ] || fail "$program is not installed"
		skip "$program is not installed (see tests/packages)"
	done
}

need_vectors() {
	[ -d "$SEAL_VECTORS/$1" ] || skip "no test vectors at $SEAL_VECTORS/$1 (set SEAL_VECTORS)"
}

# ---- into namespaces of our own -------------------------------------------------------------------

if [ -z "${SEAL_E2E_INSIDE:-}" ]; then
	[ "$(id -u)" = 0 ] || skip "needs root, for network and mount namespaces"
	need unshare nsenter ip ss
	for program in seal seal-rot seal-proxy; do
		[ -x "$SEAL_BUILD/$program" ] || fail "no $program in $SEAL_BUILD (build it, or set SEAL_BUILD)"
	done
	SEAL_E2E_INSIDE=$$ exec unshare --fork --pid --kill-child --mount-proc --net --propagation private \
		-- "$BASH" "$0" "$@"
fi

WORK=$(mktemp -d "${TMPDIR:-/tmp}/seal-e2e-$TEST.XXXXXX")
LOGS=$WORK/logs
mkdir "$LOGS" "$WORK/pods"
mount -t tmpfs -o mode=0755 seal-pods "$WORK/pods"
ROT_HOST=rot.seal.test
ROT_ADDR=10.77.0.1
ROT_PORT=8443
HOSTS="127.0.0.1 localhost
$ROT_ADDR $ROT_HOST"
ip link set lo up
ip address add "$ROT_ADDR/32" dev lo
printf '%s\n' "$HOSTS" >"$WORK/hosts"
mount --bind "$WORK/hosts" /etc/hosts
declare -A PIDS=() PODS=() LINKS=()
HOOKS=() # commands to run first at the end
export STATUS=0 # of the process that was stopped last

finish() {
	local status=$?
	trap - EXIT ERR INT TERM
	set +e
	for hook in "${HOOKS[@]}"; do
		"$hook"
	done
	stop_all
	if [ "$status" != 0 ] && [ "$status" != 77 ]; then
		printf '%s: logs follow (exit %s)\n' "$TEST" "$status" >&2
		for log in "$LOGS"/*; do
			[ -s "$log" ] || continue
			printf -- '---- %s\n' "$(basename "$log")" >&2
			tail -n 40 "$log" | cut -c 1-600 >&2
		done
	fi
	awk -v work="$WORK/" 'index($2, work) == 1 { print $2 }' /proc/mounts | sort -r | xargs -r umount -l 2>/dev/null
	[ -n "${SEAL_KEEP:-}" ] || rm -rf "$WORK"
	exit "$status"
}
trap finish EXIT
trap 'printf "%s: line %s: %s: exit %s\n" "$TEST" "$LINENO" "$BASH_COMMAND" "$?" >&2' ERR
trap 'exit 130' INT
trap 'printf "%s: ran out of time\n" "$TEST" >&2; exit 124' TERM

# ---- waiting --------------------------------------------------------------------------------------

# wait_for SECONDS WHAT COMMAND...: until the command succeeds.
wait_for() {
	local limit=$(($1 * SEAL_SLOW)) what=$2 end
	shift 2
	end=$((SECONDS + limit))
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$end" ] || fail "waited $limit s for $what"
		sleep 0.05
	done
}

is_listening() { on "$1" ss -Hltn "sport = :$2" | grep -q .; }

# wait_port POD PORT: until somebody listens there.
wait_port() { wait_for 20 "port $2 in $1" is_listening "$1" "$2"; }

# ---- processes ------------------------------------------------------------------------------------

# on POD COMMAND...: in the foreground, inside a pod; "home" is where the script itself runs.
on() {
	local pod=$1
	shift
	if [ "$pod" = home ]; then
		"$@"
	else
		nsenter --target "${PODS[$pod]}" --mount --net --uts -- "$@"
	fi
}

# start POD NAME COMMAND...: in the background, output into $LOGS/NAME.log.
start() {
	local pod=$1 name=$2
	shift 2
	if [ "$pod" != home ]; then
		set -- nsenter --target "${PODS[$pod]}" --mount --net --uts -- "$@"
	fi
	"$@" >>"$LOGS/$name.log" 2>&1 </dev/null &
	PIDS[$name]=$!
}

is_alive() { kill -0 "${PIDS[$1]}" 2>/dev/null; }
is_gone() { ! is_alive "$1"; }

# stop NAME [SIGNAL]: end one of ours and keep its exit status in STATUS.
stop() {
	local name=$1 signal=${2:-TERM} pid
	pid=${PIDS[$name]:-}
	[ -n "$pid" ] || return 0
	kill -s "$signal" "$pid" 2>/dev/null || true
	wait_for 40 "$name to end after SIG$signal" is_gone "$name"
	STATUS=0
	wait "$pid" 2>/dev/null || STATUS=$?
	unset "PIDS[$name]"
}

# wait_exit SECONDS NAME: until it ends by itself; exit status in STATUS.
wait_exit() {
	wait_for "$1" "$2 to end" is_gone "$2"
	STATUS=0
	wait "${PIDS[$2]}" 2>/dev/null || STATUS=$?
	unset "PIDS[$2]"
}

stop_all() {
	local name tries
	for name in "${!PIDS[@]}"; do
		kill -s TERM "${PIDS[$name]}" 2>/dev/null
	done
	for ((tries = 0; tries < 40; tries++)); do
		for name in "${!PIDS[@]}"; do
			is_alive "$name" || unset "PIDS[$name]"
		done
		[ ${#PIDS[@]} -gt 0 ] || break
		sleep 0.05
	done
	for name in "${!PIDS[@]}"; do
		kill -s KILL "${PIDS[$name]}" 2>/dev/null
	done
	for name in "${!PODS[@]}"; do
		kill -s KILL "${PODS[$name]}" 2>/dev/null
	done
	wait 2>/dev/null
}

# ---- expectations ---------------------------------------------------------------------------------

# expect_exit CODE COMMAND...: output into $WORK/out and $WORK/err.
expect_exit() {
	local want=$1 got=0
	shift
	"$@" >"$WORK/out" 2>"$WORK/err" </dev/null || got=$?
	[ "$got" = "$want" ] ||
		fail "'$*' ended with $got instead of $want: $(head -c 600 "$WORK/err" | tr '\n' '|')"
}

# expect_line FILE PATTERN: an extended regular expression is in the file.
expect_line() {
	grep -qE -- "$2" "$1" || fail "nothing like '$2' in $(basename "$1")"
}

has_line() { grep -qE -- "$2" "$1" 2>/dev/null; }

# expect_no_line FILE PATTERN
expect_no_line() {
	! grep -qE -- "$2" "$1" || fail "'$2' is in $(basename "$1"): $(grep -m1 -E -- "$2" "$1")"
}

expect_same() { cmp -s "$1" "$2" || fail "$1 and $2 differ"; }

# ---- pods -----------------------------------------------------------------------------------------

POD_COUNT=0

# pod_new NAME: a pod at 10.77.N.2, home at 10.77.N.1, all reachable by name from everywhere.
pod_new() {
	local name=$1 dir=$WORK/pods/$1 home_addr pod_addr
	POD_COUNT=$((POD_COUNT + 1))
	home_addr=10.77.$POD_COUNT.1 pod_addr=10.77.$POD_COUNT.2
	mkdir "$dir"
	unshare --net --mount --uts --propagation private -- \
		"$BASH" "$SUPPORT/pod-root.sh" "$dir" "$TOP" "$SEAL_BUILD" "$WORK" >"$LOGS/pod-$name.log" 2>&1 </dev/null &
	PODS[$name]=$!
	wait_for 10 "pod $name" test -s "$dir/ready"
	ip link add "to-$POD_COUNT" type veth peer name eth0 netns "${PODS[$name]}"
	ip address add "$home_addr/30" dev "to-$POD_COUNT"
	ip link set "to-$POD_COUNT" up
	on "$name" ip link set lo up
	on "$name" ip address add "$pod_addr/30" dev eth0
	on "$name" ip link set eth0 up
	on "$name" ip route add default via "$home_addr"
	echo 1 >/proc/sys/net/ipv4/ip_forward
	HOSTS="$HOSTS
$pod_addr $name"
	write_hosts
}

# Every pod knows every other by name; a name behind a wire of its own (pod_link) means the wire's other end.
write_hosts() {
	local pod other
	printf '%s\n' "$HOSTS" >"$WORK/hosts"
	for pod in "${!PODS[@]}"; do
		other=${LINKS[$pod]:-}
		if [ -n "$other" ]; then
			{
				grep -v " ${other#* }\$" "$WORK/hosts"
				printf '%s\n' "$other"
			} >"$(pod_path "$pod" /etc/hosts)"
		else
			cp "$WORK/hosts" "$(pod_path "$pod" /etc/hosts)"
		fi
	done
}

# pod_link A B: a veth pair straight from one pod to the other, beside the way through home.
pod_link() {
	ip link add "link-$1" type veth peer name "link-$2"
	ip link set "link-$1" netns "${PODS[$1]}" name eth1
	ip link set "link-$2" netns "${PODS[$2]}" name eth1
	on "$1" ip address add 10.78.0.1/30 dev eth1
	on "$2" ip address add 10.78.0.2/30 dev eth1
	on "$1" ip link set eth1 up
	on "$2" ip link set eth1 up
	LINKS[$1]="10.78.0.2 $2"
	LINKS[$2]="10.78.0.1 $1"
	write_hosts
}

# Where a pod's file is seen from here.
pod_path() { printf '/proc/%s/root%s' "${PODS[$1]}" "$2"; }

# What the pod wrote onto its own root file system, as a folder (empty where overlay cannot be used).
pod_written() { printf '%s/pods/%s/upper' "$WORK" "$1"; }

# lay_egg POD FILE: put an egg where an image would have it.
lay_egg() {
	mkdir -p "$(pod_path "$1" /etc/seal)"
	install -m 0400 "$2" "$(pod_path "$1" /etc/seal/egg)"
}

# ---- the root of trust ----------------------------------------------------------------------------

ROT_DIR=$WORK/rot

seal() { "$SEAL_BUILD/seal" "$@" --dir "$ROT_DIR"; }

rot_is_settled() { is_gone rot || seal status; }

rot_init() {
	"$SEAL_BUILD/seal" init --dir "$ROT_DIR" --url "https://$ROT_HOST:$ROT_PORT" --trust-domain seal.test "$@" \
		>"$LOGS/init.log" 2>&1
}

# rot_start [OPTION...]
rot_start() {
	start home rot "$SEAL_BUILD/seal-rot" --dir "$ROT_DIR" "$@"
	wait_for 20 "the root of trust" rot_is_settled
	is_alive rot || fail "seal-rot ended: $(tail -n 1 "$LOGS/rot.log")"
}

# rot_up: a fresh root of trust with workload shop, where web may call db.
rot_up() {
	rot_init
	rot_start
	seal workload create shop >/dev/null
	seal peer allow shop web db >/dev/null
}

# mint FILE WORKLOAD [OPTION...]
mint() {
	local file=$1
	shift
	rm -f "$file"
	seal egg mint "$@" --allow-plain-config -o "$file" >/dev/null
}

# ---- the sidecar ----------------------------------------------------------------------------------

HEALTH=127.0.0.1:9901

is_healthy() { [ "$(on "$1" curl -s -o /dev/null -w '%{http_code}' "http://$HEALTH/readyz")" = 200 ]; }

# Ready, or gone.
is_settled() { is_gone "$2" || is_healthy "$1"; }

# proxy_start POD NAME OPTION...: a sidecar that hatches the pod's egg; does not wait.
proxy_start() {
	local pod=$1 name=$2
	shift 2
	start "$pod" "$name" "$SEAL_BUILD/seal-proxy" --health "$HEALTH" "$@"
}

# proxy_up POD NAME OPTION...: and waits until it is ready.
proxy_up() {
	proxy_start "$@"
	wait_for 30 "sidecar $2" is_settled "$1" "$2"
	is_alive "$2" || fail "sidecar $2 ended: $(tail -n 1 "$LOGS/$2.log")"
}

# hatch_and_serve POD PEER OPTION...: mint an egg for the peer, lay it, start the sidecar.
sidecar() {
	local pod=$1 peer=$2
	shift 2
	mint "$WORK/$pod.egg" shop --peer "$peer"
	lay_egg "$pod" "$WORK/$pod.egg"
	proxy_up "$pod" "proxy-$pod" "$@"
}

# count_lines FILE PATTERN, and has_more FILE PATTERN COUNT: more of them than that.
count_lines() { grep -cE -- "$2" "$1" 2>/dev/null || true; }
has_more() { [ "$(count_lines "$1" "$2")" -gt "$3" ]; }

# reload NAME [EVENT]: ask a sidecar for its new configuration and wait until it has said reloaded, or EVENT.
reload() {
	local log=$LOGS/$1.log pattern="event=\"*${2:-reloaded}" before
	before=$(count_lines "$log" "$pattern")
	kill -HUP "${PIDS[$1]}"
	wait_for 10 "$1: ${2:-reloaded}" has_more "$log" "$pattern" "$before"
}

# ---- scanning -------------------------------------------------------------------------------------

# scan_tls KIND CA NAME PORT: testssl.sh finds nothing; again when it says that it could not even connect, as its
# own five seconds are over soon on a busy machine.
scan_tls() {
	local kind=$1 ca=$2 to=$3:$4 try
	for try in 1 2 3; do
		rm -f "$WORK/findings.json"
		start home "testssl-$try" testssl --quiet --color 0 --warnings off --ip 127.0.0.1 --nodns none \
			--jsonfile "$WORK/findings.json" --openssl-timeout 5 --connect-timeout 5 --add-ca "$ca" \
			-g -p -s -f -P -S -U "$to"
		wait_exit 240 "testssl-$try"
		if python3 "$SUPPORT/testssl.py" "$kind" "$WORK/findings.json" >"$WORK/verdict"; then
			cat "$WORK/verdict"
			return
		fi
		grep -q 'FOUND:.*connect problem' "$WORK/verdict" || break
		say "the scanner could not connect, and looks again"
	done
	cat "$WORK/verdict"
	fail "testssl.sh found something"
}

# ---- the application that must not see a byte -----------------------------------------------------

# witness POD PORT [MODE]: echoes what it gets, and records every connection and every byte.
witness() {
	start "$1" "witness-$1" python3 "$SUPPORT/witness.py" "$2" "$WORK/witness-$1" "${3:-echo}"
	wait_port "$1" "$2"
}

# The witness has seen nothing at all: no connection, no byte.
expect_untouched() {
	[ ! -s "$WORK/witness-$1" ] || fail "the application in $1 saw: $(head -c 200 "$WORK/witness-$1" | cat -v)"
}

witness_forget() { : >"$WORK/witness-$1"; }

# ---- hatching by hand -----------------------------------------------------------------------------

# hatch EGG OPTION...: what support/hatch.py prints ("200 1", "403 1"); certificates go to $WORK/hatched.
hatch() {
	local egg=$1
	shift
	rm -rf "$WORK/hatched"
	python3 "$SUPPORT/hatch.py" --out "$WORK/hatched" "$@" "$egg" 2>"$WORK/said"
}

# expect_hatched / expect_refused WHAT EGG OPTION...
expect_hatched() {
	local what=$1 got
	shift
	got=$(hatch "$@")
	[ "$got" = "200 1" ] || fail "$what: wanted a certificate, got '$got' $(cat "$WORK/said")"
}

expect_refused() {
	local what=$1 got
	shift
	got=$(hatch "$@")
	[ "$got" = "403 1" ] || fail "$what: wanted a refusal, got '$got' $(cat "$WORK/said")"
	grep -q '"hatch refused"' "$WORK/said" || fail "$what: the refusal says: $(cat "$WORK/said")"
}

# names PEM: the subject alternative names, sorted, on one line.
names() {
	openssl x509 -in "$1" -noout -ext subjectAltName | grep -v 'X509v3' | tr ',' '\n' | tr -d ' ' | LC_ALL=C sort | paste -sd ' '
}

subject() { openssl x509 -in "$1" -noout -subject -nameopt RFC2253; }

# expect_names PEM NAME...
expect_names() {
	local pem=$1 want
	shift
	want=$(printf '%s\n' "$@" | LC_ALL=C sort | paste -sd ' ')
	[ "$(names "$pem")" = "$want" ] || fail "the certificate names '$(names "$pem")' instead of '$want'"
}

egg_id() { seal egg show "$1" -o json | python3 -c 'import json, sys; print(json.load(sys.stdin)["id"])'; }
