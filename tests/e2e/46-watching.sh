#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What seal-wrap does when the world changes around a running application: a mount, a file, a link; with an agent and
# without one; enforced and in audit mode; and what kubelet may do at any time.
# Takes: 113 s
. "$(dirname "$0")/lib.sh"
need python3 jq
WRAP=/usr/bin/seal-wrap
AGENT=$SEAL_BUILD/tests/support/test-agent
[ -x "$AGENT" ] || skip "no test-agent was built"
SOCKET=/run/seal/agent.sock

agent_up() {
	on app rm -f "$SOCKET" "$SOCKET.ready"
	start app agent "$AGENT" serve seed "$SOCKET" "${1:-good}"
	wait_for 10 "the agent" on app test -S "$SOCKET"
}
# wrapped MODE SCRIPT [PROBE]: seal-wrap, as NAME, with a policy of that mode; standard error goes to ERR, if any
ERR=
NAME=wrapped
wrapped() {
	local policy spec via=() key=${3:-spec}
	# shellcheck disable=SC2016,SC2046 # jq's variables; paths of ours have no blanks
	policy=$(jq -n --arg mode "$1" --args '{version: 1, mode: $mode, hosts: {others: true}, resolv: {nameservers: ["127.0.0.53"]},
		mounts: ([$ARGS.positional[] | {path: ., source: "volume"}] + [{path: "/run", source: "memory"}])}' -- \
		$(printf '%s\n' "$TOP" "$SEAL_BUILD" "$WORK" | sort -u))
	# shellcheck disable=SC2016
	spec=$(jq -nc --argjson verify "$policy" --arg script "echo up >/out/up; $2" --arg key "$key" \
		'["/bin/sh", "-c", $script] as $command | {version: 1, verify: $verify, container: {name: "web"}} |
		if $key == "spec" then .container.command = $command else .exec = $command end' |
		"$AGENT" seal seed Pod web "$key" web 1 1)
	rm -f "$OUT"/*
	: >"$LOGS/$NAME.log"
	[ -z "$ERR" ] || via=(/bin/sh -c 'exec "$1" "$2" 2>"$0"' "$ERR")
	start app "$NAME" env -i "${via[@]}" "$WRAP" "$spec"
}
# running MODE SCRIPT: it has started
running() {
	wrapped "$@"
	wait_for 20 "the application" test -e "$OUT/up"
}
# stopped WHAT RULE FILE [SECONDS]: it ends with 1, and says why
stopped() {
	local begin
	begin=$(date +%s%3N)
	wait_exit "${4:-8}" wrapped
	[ "$STATUS" = 1 ] || fail "$1: ended with $STATUS instead of 1"
	expect_line "$LOGS/wrapped.log" "level=error event=\"?finding\"? file=\"$3\" line=[0-9]+ rule=\"$2\""
	say "  $1: over after $(($(date +%s%3N) - begin)) ms"
}
# is_full FIFO: it takes no more
is_full() { ! timeout 1 dd if=/dev/zero of="$1" bs=1 count=1 oflag=nonblock status=none 2>/dev/null; }
asked() { count_lines "$LOGS/agent.log" '^asked 7 '; }
test_asked() { [ "$(asked)" = "$1" ]; }

pod_new app
on app mkdir -p /etc/seal /out /run/seal /srv
install -m 0755 "$SEAL_BUILD/seal-wrap" "$(pod_path app "$WRAP")"
"$AGENT" token seed web >"$(pod_path app /etc/seal/token)"
OUT=$(pod_path app /out)
ETC=$(pod_path app /etc)
agent_up

say "a change stops the application, and the agent is told"
running enforce 'exec sleep 60'
on app mount -t tmpfs tmpfs /srv
stopped "a mount" mount.unexplained /proc/self/mountinfo
[ "$(asked)" = 1 ] || fail "the agent was asked $(asked) times"
on app umount /srv
cp "$ETC/hosts" "$WORK/good-hosts"
running enforce 'exec sleep 60'
echo '10.0.0.66 localhost' >>"$ETC/hosts"
stopped "localhost elsewhere" hosts.localhost /etc/hosts
cp "$WORK/good-hosts" "$ETC/hosts"
cp "$ETC/resolv.conf" "$WORK/good-resolv"
running enforce 'exec sleep 60'
echo 'nameserver 192.0.2.66' >"$ETC/resolv.conf"
stopped "another name server" resolv.server /etc/resolv.conf
cp "$WORK/good-resolv" "$ETC/resolv.conf"
running enforce 'exec sleep 60'
on app sh -c 'rm /etc/resolv.conf; mkfifo /etc/resolv.conf'
stopped "a FIFO" file.type /etc/resolv.conf
on app rm /etc/resolv.conf
cp "$WORK/good-resolv" "$ETC/resolv.conf"
running enforce 'exec sleep 60'
on app sh -c 'mv /etc/hosts /etc/hosts.away; ln -s hosts.away /etc/hosts'
stopped "a link" file.type /etc/hosts
on app mv /etc/hosts.away /etc/hosts
running enforce 'exec sleep 60'
on app rm /etc/hostname
stopped "a file that is gone" file.missing /etc/hostname
echo app >"$ETC/hostname"

say "who does not heed SIGTERM is killed, with all it started"
running enforce 'trap "" TERM; sleep 77 & while :; do sleep 1; done'
on app mount -t tmpfs tmpfs /srv
stopped "a stubborn one" mount.unexplained /proc/self/mountinfo 20
! pgrep -fx 'sleep 77' >/dev/null || fail "a child of it goes on"
on app umount /srv

say "and so is what it started in sessions of their own"
running enforce '(setsid sh -c "trap \"\" TERM; exec sleep 79" &); exec sleep 60'
wait_for 10 "a daemon" pgrep -fx 'sleep 79' >/dev/null
on app mount -t tmpfs tmpfs /srv
stopped "one with a daemon" mount.unexplained /proc/self/mountinfo
! pgrep -fx 'sleep 79' >/dev/null || fail "a daemon of it goes on"
on app umount /srv

say "the death of the process that watches over seal-wrap is no better than blindness"
deadman_of() { pgrep -P "${PIDS[$1]}" -x seal-deadman; }
running enforce 'exec sleep 60'
kill -KILL "$(deadman_of wrapped)"
wait_exit 8 wrapped
[ "$STATUS" = 1 ] || fail "ended with $STATUS instead of 1"
expect_line "$LOGS/wrapped.log" 'level=error event="?blind'
running audit 'exec sleep 60'
kill -STOP "$(deadman_of wrapped)"
wait_for 10 "it to be told" has_line "$LOGS/wrapped.log" 'level=error event="?blind'
sleep 1
is_alive wrapped || fail "it was stopped"
stop wrapped
[ "$STATUS" = 143 ] || fail "ended with $STATUS"

say "a look that never ends ends the application, wherever it has gone; in audit mode it is told"
NAME=halted
running enforce '(setsid sleep 71 &); exec sleep 171'
NAME=heedful
running audit 'exec sleep 172'
kill -STOP "${PIDS[halted]}" "${PIDS[heedful]}"
NAME=wrapped
begin=$SECONDS
if [ -e /dev/fuse ]; then
	running enforce '(setsid sleep 73 &); exec sleep 173'
	start app stall python3 "$SUPPORT/stall.py" /etc/hosts 8 8<>/dev/fuse
	wait_for 10 "a file system that does not answer" has_line "$LOGS/stall.log" '^mounted'
else
	say "  no /dev/fuse: no file system that does not answer"
fi
is_over_for() { ! pgrep -fx "$1" >/dev/null; } # zombies have no command line
wait_for 60 "those of who was halted to end" is_over_for 'sleep 1?71'
say "  a signal: over after $((SECONDS - begin)) s"
wait_for 10 "it to be told" has_line "$LOGS/halted.log" 'level=error event="?watch_stalled"? seconds=45 application="killed"'
wait_for 10 "it to be told" has_line "$LOGS/heedful.log" 'level=error event="?watch_stalled"? seconds=45 application="goes on"'
pgrep -fx 'sleep 172' >/dev/null || fail "audit mode killed it"
if [ -e /dev/fuse ]; then
	wait_for 15 "those of who waits in vain to end" is_over_for 'sleep 1?73'
	say "  a file system: over after $((SECONDS - begin)) s"
	wait_for 10 "it to be told" has_line "$LOGS/wrapped.log" 'event="?watch_stalled"? seconds=45 application="killed"'
	expect_no_line "$LOGS/wrapped.log" 'event="?finding' # it never came to that
	stop stall
	wait_exit 10 wrapped
	on app umount -l /etc/hosts
fi
kill -CONT "${PIDS[halted]}" "${PIDS[heedful]}"
wait_exit 10 halted
[ "$STATUS" = 137 ] || fail "ended with $STATUS instead of 137"
stop heedful
[ "$STATUS" = 143 ] || fail "ended with $STATUS instead of 143"

say "waiting for it takes no time of the processor, and whoever does not read what we say stops nothing"
running enforce 'trap "" TERM; while :; do sleep 1; done'
on app mount -t tmpfs tmpfs /srv
wait_for 10 "the end to begin" has_line "$LOGS/wrapped.log" 'event="?stopping'
sleep 5
ticks=$(awk '{ print $14 + $15 }' "/proc/${PIDS[wrapped]}/stat")
[ "$ticks" -lt 20 ] || fail "$ticks ticks of the processor"
stopped "an idle end" mount.unexplained /proc/self/mountinfo 20
on app umount /srv
mkfifo "$WORK/unread"
exec 7<>"$WORK/unread"
ERR=$WORK/unread
running enforce 'trap "" TERM; yes >&2 & while :; do sleep 1; done'
wait_for 10 "the pipe to be full" is_full "$WORK/unread"
on app mount -t tmpfs tmpfs /srv
wait_exit 20 wrapped
[ "$STATUS" = 1 ] || fail "ended with $STATUS instead of 1"
exec 7<&-
ERR=
on app umount /srv

say "what kubelet does passes: files written anew, for a moment empty, and much of it"
running enforce 'exec sleep 60'
for ((i = 0; i < 8; i++)); do
	: >"$ETC/hosts"
	cat "$WORK/good-hosts" >"$ETC/hosts"
	cp "$WORK/good-resolv" "$ETC/resolv.conf"
	sleep 0.3
done
on app mv /etc/hostname /etc/hostname.away
sleep 1
on app mv /etc/hostname.away /etc/hostname
sleep 1
is_alive wrapped || fail "it was stopped: $(tail -n 3 "$LOGS/wrapped.log")"
expect_no_line "$LOGS/wrapped.log" finding

say "without an agent it is stopped all the same, and on time"
stop agent
wait_for 10 "that it is gone to be noticed" has_line "$LOGS/wrapped.log" 'event="?agent_lost'
on app mount -t tmpfs tmpfs /srv
stopped "a mount" mount.unexplained /proc/self/mountinfo 14
expect_line "$LOGS/wrapped.log" suspicion_untold
on app umount /srv
agent_up
running enforce 'trap "" TERM; while :; do sleep 1; done'
stop agent
wait_for 10 "that it is gone to be noticed" has_line "$LOGS/wrapped.log" 'event="?agent_lost'
began=$(date +%s%3N)
on app mount -t tmpfs tmpfs /srv
stopped "a stubborn one" mount.unexplained /proc/self/mountinfo 14
[ $(($(date +%s%3N) - began)) -ge 9000 ] || fail "it was killed too early"
on app umount /srv
agent_up

say "an agent that was away, or goes while it is told, is told when it is back"
for manner in good deaf; do
	stop agent
	agent_up "$manner"
	running enforce 'exec sleep 60'
	[ "$manner" = deaf ] || stop agent
	before=$(asked)
	on app mount -t tmpfs tmpfs /srv
	wait_for 10 "the end to begin" has_line "$LOGS/wrapped.log" 'event="?stopping'
	[ "$manner" = deaf ] || { sleep 1; agent_up; }
	stopped "a mount" mount.unexplained /proc/self/mountinfo
	[ "$(asked)" = $((before + 1)) ] || fail "the agent was asked $(asked) times, not $((before + 1))"
	expect_no_line "$LOGS/wrapped.log" suspicion_untold
	on app umount /srv
done
stop agent
agent_up deaf
running audit 'exec sleep 60'
before=$(asked)
on app mount -t tmpfs tmpfs /srv
wait_for 10 "a report" has_line "$LOGS/wrapped.log" 'level=warn event="?finding'
wait_for 10 "the agent to be told" test_asked $((before + 1))
stop wrapped
on app umount /srv

say "who is refused before the start says so, before and after it was told that the proxy is ready; a probe does not"
stop agent
agent_up held
before=$(asked)
on app mount -t tmpfs tmpfs /srv
wrapped enforce 'exec sleep 60'
stopped "the first look" mount.unexplained /proc/self/mountinfo
expect_line "$LOGS/wrapped.log" not_started
[ "$(asked)" = $((before + 1)) ] || fail "the agent was asked $(asked) times, not $((before + 1))"
wrapped enforce 'exec sleep 60' livenessProbe
stopped "a probe" mount.unexplained /proc/self/mountinfo
[ "$(asked)" = $((before + 1)) ] || fail "a probe spoke for its container"
on app umount /srv
wrapped enforce 'exec sleep 60'
wait_for 10 "it to wait" has_line "$LOGS/agent.log" '^asked 3 '
on app mount -t tmpfs tmpfs /srv
on app touch "$SOCKET.ready"
stopped "the last look" mount.unexplained /proc/self/mountinfo
expect_line "$LOGS/wrapped.log" not_started
[ "$(asked)" = $((before + 2)) ] || fail "the agent was asked $(asked) times, not $((before + 2))"
[ ! -e "$OUT/up" ] || fail "it was started"
on app umount /srv
stop agent
agent_up

say "in audit mode each change is reported once, and the application goes on"
running audit 'exec sleep 60'
before=$(asked)
on app mount -t tmpfs tmpfs /srv
wait_for 10 "a report" has_line "$LOGS/wrapped.log" 'level=warn event="?finding"? file="/proc/self/mountinfo".*rule="mount.unexplained"'
echo '10.0.0.66 localhost' >>"$ETC/hosts"
wait_for 10 "another" has_line "$LOGS/wrapped.log" 'level=warn event="?finding"? file="/etc/hosts".*rule="hosts.localhost"'
touch "$ETC/hosts"
sleep 0.5
[ "$(count_lines "$LOGS/wrapped.log" 'event="?finding')" = 2 ] || fail "$(cat "$LOGS/wrapped.log")"
[ "$(asked)" = $((before + 2)) ] || fail "the agent was asked $(asked) times, not $((before + 2))"
is_alive wrapped || fail "it was stopped"
stop wrapped
[ "$STATUS" = 143 ] || fail "ended with $STATUS"
on app umount /srv
