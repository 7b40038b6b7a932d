#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Too little memory: a thousand handshakes, and hundreds of connections at a time, in control groups of 32,
# 64 and 128 MiB without a process being killed; an address space that cannot grow any more; and one allocation
# in a few hundred failing, anywhere.  The sidecar may refuse; it survives, and serves when it can again.
# Takes: 23 s
. "$(dirname "$0")/lib.sh"
need python3 curl prlimit

rot_up
seal cert issue shop --peer web -o "$WORK/web" >/dev/null
seal cert issue shop --peer db -o "$WORK/db" >/dev/null
seal cert issue shop --peer ops -o "$WORK/ops" >/dev/null
exhaust() { python3 "$SUPPORT/exhaust.py" "$@"; }
witness home 8080
is_ready() { HEALTH=127.0.0.1:9901 is_healthy home; }
is_sanitized() { grep -q libasan "/proc/${PIDS[proxy]}/maps"; }

# sidecar_up COMMAND...: db's, by that command.
sidecar_up() {
	start home proxy "$@" --health 9901 --credentials "$WORK/db" --inbound 127.0.0.1:8444=8080/web
	wait_for 20 "the sidecar" is_ready
}

sidecar_down() {
	is_alive proxy || fail "the sidecar is gone: $(tail -n 3 "$LOGS/proxy.log")"
	stop proxy
	[ "$STATUS" = 0 ] || fail "seal-proxy ended with $STATUS"
}

# ---- control groups -------------------------------------------------------------------------------

GROUP=''
leave() {
	local status=$?
	trap - ERR
	set +e
	stop_all
	[ -z "$GROUP" ] || rmdir "$GROUP"
	(exit "$status")
	finish
}
trap leave EXIT

# Where a group of ours can be made, and its limit and its count of kills: version 2, or 1.
group_make() {
	local at
	GROUP=''
	if at=$(awk '$3 == "cgroup" && $4 ~ /(^|,)memory(,|$)/ { print $2; exit }' /proc/mounts) && [ -n "$at" ]; then
		at=$at$(awk -F : '$2 ~ /(^|,)memory(,|$)/ { print $3; exit }' /proc/self/cgroup)
		KIND=1
	else
		at=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
		[ -n "$at" ] || return 1
		at=$at$(awk -F : '$1 == 0 { print $3; exit }' /proc/self/cgroup)
		KIND=2
		# Processes may be in leaves only: where this one is alone responsible for, or at the top.
		[ -e "$at/memory.max" ] && grep -qw memory "$at/cgroup.subtree_control" || at=$(dirname "$at")
		grep -qw memory "$at/cgroup.subtree_control" 2>/dev/null || return 1
	fi
	GROUP=$at/$(basename "$WORK")-$1
	mkdir "$GROUP" 2>/dev/null || return 1
	case $KIND in
	1) echo $(($1 << 20)) >"$GROUP/memory.limit_in_bytes" ;;
	2)
		echo $(($1 << 20)) >"$GROUP/memory.max"
		echo 0 >"$GROUP/memory.swap.max" 2>/dev/null || true
		;;
	esac
}

group_kills() {
	case $KIND in
	1) awk '$1 == "oom_kill" { print $2 }' "$GROUP/memory.oom_control" ;;
	2) awk '$1 == "oom_kill" { print $2 }' "$GROUP/memory.events" ;;
	esac
}

group_peak() { cat "$GROUP/memory.max_usage_in_bytes" "$GROUP/memory.peak" 2>/dev/null | head -n 1 || true; }

# A thousand connections that stay fit into 64 MiB; in 32 some may have to be refused.
declare -A crowds=([128]=all [64]=all [32]=any)
for limit in 128 64 32; do
	if grep -q __asan_init "$SEAL_BUILD/seal-proxy"; then
		say "NOT TRIED: control groups, for the address sanitizer takes more"
		break
	fi
	if ! group_make "$limit"; then
		say "NOT TRIED: control groups, for no group with a memory limit can be made here"
		break
	fi
	# shellcheck disable=SC2016 # expanded by the inner shell
	sidecar_up "$BASH" -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$GROUP" "$SEAL_BUILD/seal-proxy"
	say "$limit MiB:"
	exhaust shake "$WORK/web" 8444 1000 50 || fail "$limit MiB: not everybody was served"
	exhaust crowd "$WORK/web" 8444 1000 "${crowds[$limit]}" || fail "$limit MiB: not everybody was served"
	exhaust shake "$WORK/web" 8444 50 4 || fail "$limit MiB: nobody is served any more"
	say "the most that was used: $(($(group_peak) >> 10)) KiB, killed $(group_kills)"
	[ "$(group_kills)" = 0 ] || fail "$limit MiB: the kernel killed"
	sidecar_down
	rmdir "$GROUP"
	GROUP=''
done

# ---- an address space that cannot grow ------------------------------------------------------------

sidecar_up "$SEAL_BUILD/seal-proxy"
if is_sanitized; then
	say "NOT TRIED: a limited address space, for the address sanitizer needs it all"
else
	say "no room to grow"
	exhaust shake "$WORK/web" 8444 20 4 || fail "nobody is served"
	size=$(awk '/^VmSize:/ { print $2 * 1024 }' "/proc/${PIDS[proxy]}/status")
	prlimit --pid "${PIDS[proxy]}" --as="$size:unlimited"
	exhaust crowd "$WORK/web" 8444 600 any || true
	is_alive proxy || fail "the sidecar died of it"
	prlimit --pid "${PIDS[proxy]}" --as=unlimited:unlimited
	exhaust shake "$WORK/web" 8444 50 4 || fail "nobody is served any more"
fi
sidecar_down

# ---- allocations that fail ------------------------------------------------------------------------

starved=$SEAL_BUILD/tests/support/seal-proxy-starved
[ -x "$starved" ] || skip "the rest passed; $starved is not built (make check builds it)"
for one_in in 2000 300 50; do
	say "one allocation in $one_in fails"
	SEAL_STARVE=$one_in sidecar_up "$starved"
	exhaust shake "$WORK/web" 8444 20 4 || fail "nobody is served"
	descriptors=$(find "/proc/${PIDS[proxy]}/fd" -mindepth 1 | wc -l)
	kill -USR2 "${PIDS[proxy]}"
	exhaust shake "$WORK/web" 8444 400 8 && fail "nothing failed" || true
	exhaust shake "$WORK/ops" 8444 200 8 intruder && fail "everybody was served" || true
	is_alive proxy || fail "the sidecar died of it: $(tail -n 5 "$LOGS/proxy.log")"
	kill -USR2 "${PIDS[proxy]}"
	exhaust shake "$WORK/web" 8444 50 4 || fail "nobody is served any more"
	no_more() { [ "$(find "/proc/${PIDS[proxy]}/fd" -mindepth 1 | wc -l)" -le "$descriptors" ]; }
	wait_for 30 "descriptors to be given back" no_more
	is_ready || fail "it is not ready any more"
	sidecar_down
done
expect_no_line "$WORK/witness-home" intruder
