#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# seal-wrap by itself, with an agent that has no sidecar around it: what it is as a file, what an application under
# it sees and what its supervisor sees, and what happens when who listens on the socket, or what the host gave, is
# not what it should be.
#
# shellcheck disable=SC2016 # what stands in single quotes is for the shell under seal-wrap
# Takes: 45 s
. "$(dirname "$0")/lib.sh"
need python3 readelf jq
WRAP=/usr/bin/seal-wrap
AGENT=$SEAL_BUILD/tests/support/test-agent
[ -x "$AGENT" ] || skip "no test-agent was built"
SOCKET=/run/seal/agent.sock

# agent_up NAME SEED [MANNER]
agent_up() {
	on app mkdir -p /run/seal
	on app rm -f "$SOCKET"
	start app "$1" "$AGENT" serve "$2" "$SOCKET" "${3:-good}"
	wait_for 10 "the agent" on app test -S "$SOCKET"
}
# sealed KIND NAME KEY CONTAINER GEN OF [SEED]: standard input, sealed
sealed() { "$AGENT" seal "${7:-seed}" "$1" "$2" "$3" "$4" "$5" "$6"; }
# What may be mounted in this pod, which is a container's world with the test's own folders in it.
# shellcheck disable=SC2046 # these paths have no blanks
POLICY=$(jq -n --args '{version: 1, mode: "enforce", hosts: {others: true}, resolv: {nameservers: ["127.0.0.53"]}, account: {mounted: "any"},
	mounts: ([$ARGS.positional[] | {path: ., source: "volume"}] + [{path: "/run", source: "memory"}] +
		[("/run/target", "/run/other", "/run/seal-place/0") | {path: ., source: "memory", optional: true}])}' -- \
	$(printf '%s\n' "$TOP" "$SEAL_BUILD" "$WORK" | sort -u))
# spec_of JSON [KEY] [CONTAINER] [SEED]: into $SPEC
spec_of() {
	SPEC=$(jq -c --argjson policy "$POLICY" 'if has("place") or has("verify") then . else . + {verify: $policy} end' <<<"$1" |
		sealed Pod web "${2:-spec}" "${3:-web}" 1 1 "${4:-seed}")
}
# runs SCRIPT [MEMBERS [MORE]]: $SPEC for an application that is a shell script; its results go to /out
runs() {
	spec_of "$(jq -n --arg script "$1" --argjson members "{${2:-}}" --argjson more "{${3:-}}" \
		'{version: 1, container: ({name: "web", command: ["/bin/sh", "-c", $script]} + $members)} + $more')"
}
# wrap [COMMAND...]: with an environment of its own; status in STATUS, what it says in $WORK/said
wrap() {
	STATUS=0
	on app env -i "$@" "$WRAP" "$SPEC" >"$WORK/stdout" 2>"$WORK/said" </dev/null || STATUS=$?
}
ends_with() {
	[ "$STATUS" = "$1" ] || fail "$2: ended with $STATUS instead of $1: $(head -c 600 "$WORK/said")"
}
# refused WHAT PATTERN [COMMAND...]: exit 1, the application was not started, no word of a value
refused() {
	local what=$1 pattern=$2
	shift 2
	rm -f "$OUT"/*
	wrap "$@"
	ends_with 1 "$what"
	expect_line "$WORK/said" "$pattern"
	expect_no_line "$WORK/said" 'MARKED'
	[ ! -e "$OUT/ran" ] || fail "$what: the application ran"
}

pod_new app
install -m 0755 "$SEAL_BUILD/seal-wrap" "$(pod_path app "$WRAP")"
on app mkdir -p /etc/seal /out
OUT=$(pod_path app /out)
TOKEN=$(pod_path app /etc/seal/token)
"$AGENT" token seed web >"$TOKEN"
chmod 0444 "$TOKEN"

say "one file that needs no other, under 4 MiB"
if grep -q '^S\["STATIC_WRAP_TRUE"\]=""$' "$SEAL_BUILD/config.status"; then
	size=$(stat -c %s "$SEAL_BUILD/seal-wrap")
	[ "$size" -lt 4194304 ] || fail "$size bytes"
	! readelf -lW "$SEAL_BUILD/seal-wrap" | grep -qE 'INTERP|DYNAMIC' || fail "it is not static"
	! readelf -lW "$SEAL_BUILD/seal-wrap" | grep 'GNU_STACK' | grep -q 'E' || fail "its stack can be executed"
	say "$size bytes"
	IS_STATIC=1
else
	say "this build's is not static"
	IS_STATIC=
fi

say "the command line"
expect_exit 2 "$SEAL_BUILD/seal-wrap"
expect_exit 2 "$SEAL_BUILD/seal-wrap" a b
expect_exit 2 "$SEAL_BUILD/seal-wrap" --verbose
expect_exit 0 "$SEAL_BUILD/seal-wrap" --help
expect_line "$WORK/out" '^usage: seal-wrap SPEC'
expect_exit 0 "$SEAL_BUILD/seal-wrap" --version
expect_line "$WORK/out" '^seal-wrap [0-9]'
SPEC=plain
refused "what is not sealed" 'no sealed value'

agent_up agent seed

say "exit codes"
for code in 0 1 42 255; do
	runs "exit $code"
	wrap
	ends_with "$code" "exit $code"
done
for signal in SEGV KILL TERM; do
	runs "kill -$signal \$\$\$\$"
	wrap
	ends_with $((128 + $(kill -l "$signal"))) "killed by $signal"
done
runs_command() { spec_of "$(jq -n --args '{version: 1, container: {name: "web", command: $ARGS.positional}}' -- "$@")"; }
runs_command /nowhere/MARKED
wrap
ends_with 127 "no such program"
runs_command MARKED-nowhere
wrap
ends_with 127 "no such program in PATH"
expect_no_line "$WORK/said" MARKED
on app sh -c 'echo x >/out/unexecutable'
runs_command /out/unexecutable
wrap
ends_with 126 "not executable"
on app sh -c 'chmod +x /out/unexecutable'
wrap
ends_with 126 "no format the kernel knows"
runs_command true
wrap
ends_with 0 "found in PATH"
runs 'echo ran >/out/ran' '"workingDir": "/srv/MARKED"'
refused "no such directory" 'working directory'

say "the environment is the spec's alone"
runs 'env | sort >/out/env' '"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "$(A)2"}],
	"workingDir": "/usr/lib/"' '"exempt": ["HERE"]'
wrap PATH=/evil HOME=/evil A=evil EVIL=1 HERE=there TERM=evil
ends_with 0 environment
printf '%s\n' A=1 B=12 HERE=there "HOME=$(getent passwd "$(id -u)" | cut -d: -f6)" HOSTNAME=app \
	PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin PWD=/usr/lib >"$WORK/want"
cmp "$OUT/env" "$WORK/want" || fail "the environment is: $(tr '\n' ' ' <"$OUT/env")"
runs 'echo ran >/out/ran'
for variable in LD_PRELOAD=/evil.so LD_AUDIT=/evil.so GLIBC_TUNABLES=glibc.malloc.check=3 BASH_ENV=/evil NODE_OPTIONS=-r/evil; do
	refused "$variable" 'rule="?env.loader"?.*found="?'"${variable%%=*}" "$variable"
done

say "sealed variables, one by one and whole objects"
runs 'echo "$K/$a/$P_b" >/out/env; echo ran >/out/ran' '"env": [{"name": "K", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
	"envFrom": [{"configMapRef": {"name": "m"}}, {"prefix": "P_", "configMapRef": {"name": "n"}}]'
value() { printf '%s' "$1" | sealed "${@:2}"; }
K=$(value MARKED-k Secret s k '' 1 3)
A=$(value MARKED-a ConfigMap m a '' 1 1)
B=$(value MARKED-b ConfigMap n b '' 1 1)
wrap "SEAL_ENV_0=$K" "SEAL_FROM_0_a=$A" "SEAL_FROM_1_b=$B"
ends_with 0 "sealed variables"
[ "$(cat "$OUT/env")" = MARKED-k/MARKED-a/MARKED-b ] || fail "they are $(cat "$OUT/env")"
refused "a variable left out" 'left it out' "SEAL_FROM_0_a=$A" "SEAL_FROM_1_b=$B"
refused "an object left out" 'left it out' "SEAL_ENV_0=$K" "SEAL_FROM_0_a=$A"
refused "a value under another key" 'key|sealed' "SEAL_ENV_0=$K" "SEAL_FROM_0_c=$A" "SEAL_FROM_1_b=$B"
refused "a value of another object" 'ConfigMap m' "SEAL_ENV_0=$K" "SEAL_FROM_0_a=$B" "SEAL_FROM_1_b=$B"
refused "in clear" 'variable K' "SEAL_ENV_0=MARKED" "SEAL_FROM_0_a=$A" "SEAL_FROM_1_b=$B"
refused "a bit flipped" 'variable K' "SEAL_ENV_0=${K%?????}AAAAA" "SEAL_FROM_0_a=$A" "SEAL_FROM_1_b=$B"
A2=$(value MARKED-a2 ConfigMap m a '' 2 2)
refused "one value of two" '2 values' "SEAL_ENV_0=$K" "SEAL_FROM_0_a=$A2" "SEAL_FROM_1_b=$B"
refused "an older one, once a newer one was seen" 'generation|older' "SEAL_ENV_0=$K" "SEAL_FROM_0_a=$A" "SEAL_FROM_1_b=$B"

say "standard streams, descriptors, signals, limits: as if it had been started directly"
look='umask; ulimit -c; ulimit -n; grep -E "^(Sig(Blk|Ign|Cgt)|NoNewPrivs|CapEff|Seccomp):" /proc/self/status;
	for fd in /proc/$$/fd/*; do echo "${fd##*/} $(readlink "$fd")"; done; cat'
[ -n "$IS_STATIC" ] || look=${look/ulimit -c;/} # sanitizers switch core files off
runs "${look//\$\$/\$\$\$\$}" # of which Kubernetes makes two again
runs_direct() { on app env -i PATH="$PATH" sh -c "umask 027; ulimit -c 7; ulimit -n 777; exec \"\$@\"" sh "$@"; }
printf 'input\n' >"$WORK/input"
runs_direct /bin/sh -c "$look" <"$WORK/input" >"$WORK/direct" 2>"$WORK/direct-err"
runs_direct "$WRAP" "$SPEC" <"$WORK/input" >"$WORK/wrapped" 2>"$WORK/wrapped-err"
sed -i "s,$WORK/[a-z-]*,STREAM,; s,pipe:.*,pipe," "$WORK/direct" "$WORK/wrapped"
cmp "$WORK/direct" "$WORK/wrapped" || fail "it differs: $(diff "$WORK/direct" "$WORK/wrapped" | tr '\n' '|')"
cmp "$WORK/direct-err" "$WORK/wrapped-err"
runs 'ls /proc/self/fd >/out/fds'
on app env -i sh -c 'exec "$@" <&- >&- 2>&-' sh "$WRAP" "$SPEC" || fail "it needs standard streams"
on app env -i sh -c 'exec "$@" <&- >&- 2>&-' sh /bin/sh -c 'ls /proc/self/fd >/out/fds-direct'
expect_same "$OUT/fds" "$OUT/fds-direct"

say "signals reach it, and its own end is ours"
runs 'for s in TERM INT HUP QUIT USR1 USR2 WINCH CONT ALRM; do trap "echo $s >>/out/signals" $s; done
	trap "exit 7" PIPE; echo up >/out/up; while :; do sleep 0.05; done'
rm -f "$OUT"/*
start app wrapped env -i "$WRAP" "$SPEC"
wait_for 20 "the application" test -e "$OUT/up"
for signal in TERM INT HUP QUIT USR1 USR2 WINCH CONT ALRM; do
	kill -s "$signal" "${PIDS[wrapped]}"
	wait_for 10 "SIG$signal" has_line "$OUT/signals" "^$signal\$"
done
kill -s PIPE "${PIDS[wrapped]}"
wait_exit 10 wrapped
[ "$STATUS" = 7 ] || fail "ended with $STATUS instead of 7"

say "orphans are reaped, as process 1 and as another"
runs 'i=0; while [ $i -lt 50 ]; do (true & exec true); i=$((i + 1)); done; echo up >/out/up; exec sleep 30'
zombies() { grep -l "^PPid:.$1\$" /proc/[0-9]*/status 2>/dev/null | xargs -r grep -h '^State:.Z' | wc -l; }
no_zombies() { [ "$(zombies "$1")" = 0 ]; }
orphans() {
	rm -f "$OUT"/*
	start app wrapped env -i "$@" "$WRAP" "$SPEC"
	wait_for 20 "the application" test -e "$OUT/up"
}
orphans
wait_for 10 "orphans of ${PIDS[wrapped]} to be reaped" no_zombies "${PIDS[wrapped]}"
stop wrapped
[ "$STATUS" = 143 ] || fail "ended with $STATUS instead of 143"
orphans PATH="$PATH" unshare --mount --pid --fork --kill-child sh -c \
	'umount -R /proc && mount -t proc -o nosuid,nodev,noexec proc /proc && exec env -i "$@"' sh
first=$(pgrep -P "${PIDS[wrapped]}")
wait_for 10 "orphans of process 1 to be reaped" no_zombies "$first"
kill -TERM "$first"
wait_exit 10 wrapped
[ "$STATUS" = 143 ] || fail "process 1 ended with $STATUS instead of 143"

say "an application does not outlive its guard"
orphans
child=$(pgrep -P "${PIDS[wrapped]}" | grep -vx "$(pgrep -P "${PIDS[wrapped]}" -x seal-deadman)")
stop wrapped KILL
is_dead() { ! kill -0 "$1" 2>/dev/null; }
wait_for 10 "the application to end" is_dead "$child"

say "on a terminal"
runs 'stty -a | grep -q "speed" && [ -t 0 ] && [ "$(ps -o tpgid= -p $$)" -eq "$(ps -o pgid= -p $$)" ] && echo "ready $TERM"
	read line; echo "got $line"; exec sleep 30'
on app env -i TERM=vt100 PATH="$PATH" python3 "$SUPPORT/wrap_tty.py" "$WRAP" "$SPEC" ||
	fail "a terminal is not handed over"

say "probes and hooks"
probe() { spec_of "$(jq -n --argjson exec "$1" '{version: 1, exec: $exec, container: {name: "web", command: ["/bin/false"],
	workingDir: "/usr", env: [{name: "A", value: "1"}]}}')" "$2"; }
probe '["/bin/sh", "-c", "echo \"$A $(pwd) $1\" >/out/probe; exit 3", "-", "$(A)"]' livenessProbe
wrap EVIL=1
ends_with 3 "a probe"
[ "$(cat "$OUT/probe")" = "1 /usr 1" ] || fail "the probe saw: $(cat "$OUT/probe")"
probe '["/bin/sh", "-c", "echo \"$1\" >/out/probe", "-", "$(A)"]' preStop
wrap
[ "$(cat "$OUT/probe")" = '$(A)' ] || fail "the hook saw: $(cat "$OUT/probe")"
probe '["/bin/sh", "-c", "echo ran >/out/ran"]' spec
refused "a probe's spec as the application's" 'not what it was sealed as'
runs 'echo ran >/out/ran'
spec_of "$(jq -n '{version: 1, container: {name: "web", command: ["/bin/touch", "/out/ran"]}}')" livenessProbe
refused "the application's spec as a probe's" 'not what it was sealed as'

say "placeholders"
on app mkdir -p /run/seal-place/0
on app mount -t tmpfs tmpfs /run/seal-place/0
spec_of '{"version": 1, "place": ["/run/seal-place/0/one"]}' place
wrap
ends_with 0 "placeholders"
[ "$(on app stat -c '%F %a' /run/seal-place/0/one)" = "regular empty file 600" ] || fail "no placeholder"

say "files, and newer files"
on app mkdir -p /src/v1 /run/target
on app mount -t tmpfs tmpfs /run/target
SRC=$(pod_path app /src)
TARGET=$(pod_path app /run/target)
# version NAME GEN CONTENT: as the kubelet does it
version() {
	mkdir -p "$SRC/..$1"
	value "$3-a" ConfigMap m a '' "$2" 2 >"$SRC/..$1/a"
	value "$3-b" ConfigMap m b '' "$2" 2 >"$SRC/..$1/b"
	ln -sfn "..$1" "$SRC/..tmp"
	mv -T "$SRC/..tmp" "$SRC/..data"
	ln -sfn ..data/a "$SRC/a"
	ln -sfn ..data/b "$SRC/b"
}
rmdir "$SRC/v1"
version 3 3 MARKED-three
runs 'cat /run/target/a /run/target/b >/out/first; echo up >/out/up; exec sleep 60' '' \
	'"files": [{"source": "/src", "target": "/run/target", "objects": [{"kind": "ConfigMap", "name": "m"}]}]'
rm -f "$OUT"/*
start app wrapped env -i "$WRAP" "$SPEC"
wait_for 20 "the application" test -e "$OUT/up"
[ "$(cat "$OUT/first")" = MARKED-three-aMARKED-three-b ] || fail "the files are $(cat "$OUT/first")"
[ "$(on app stat -L -c %a /run/target/a)" = 400 ] || fail "its mode is $(on app stat -L -c %a /run/target/a)"
says() { [ "$(cat "$TARGET/a" "$TARGET/b" 2>/dev/null)" = "$1" ]; }
version 4 4 MARKED-four
wait_for 20 "the newer version" says MARKED-four-aMARKED-four-b

say "what is older, mixed or in clear is reported, and what is there stays"
sent_back() { [ "$(count_lines "$LOGS/wrapped.log" 'event="?update_refused')" -ge "$1" ]; }
version 5 3 MARKED-old
wait_for 20 "an older version to be refused" sent_back 1
version 6 5 MARKED-six
wait_for 20 "a good version after that" says MARKED-six-aMARKED-six-b
mkdir "$SRC/..8"
value MARKED-eight ConfigMap m a '' 7 2 >"$SRC/..8/a"
echo MARKED-clear >"$SRC/..8/b"
before=$(cat "$TARGET/a" "$TARGET/b")
ln -sfn ..8 "$SRC/..tmp" && mv -T "$SRC/..tmp" "$SRC/..data"
wait_for 20 "clear text to be refused" sent_back 2
says "$before" || fail "half of it was published"
expect_no_line "$LOGS/wrapped.log" MARKED

say "the agent goes and comes back"
stop agent
wait_for 10 "that it is gone to be noticed" has_line "$LOGS/wrapped.log" 'event="?agent_lost'
is_alive wrapped || fail "the application ended with the agent"
version 9 8 MARKED-nine
agent_up agent seed
wait_for 30 "the update made meanwhile" says MARKED-nine-aMARKED-nine-b
expect_line "$LOGS/wrapped.log" 'event="?agent_back'
begin=$SECONDS
stop wrapped
[ "$STATUS" = 143 ] || fail "ended with $STATUS instead of 143"
[ $((SECONDS - begin)) -lt 5 ] || fail "it took $((SECONDS - begin)) s to end"

say "an older version is no good at the start either, nor one that is not in memory"
version 10 1 MARKED-ten
runs 'echo ran >/out/ran' '' '"files": [{"source": "/src", "target": "/run/target", "objects": [{"kind": "ConfigMap", "name": "m"}]}]'
refused "an older version" 'run/target'
version 11 9 MARKED-eleven
runs 'echo ran >/out/ran' '' '"files": [{"source": "/src", "target": "/srv", "objects": [{"kind": "ConfigMap", "name": "m"}]}]'
refused "a target on disk" '/srv'

say "the application waits for the proxy"
stop agent
agent_up agent seed late
runs 'echo ran >/out/ran'
wrap
ends_with 0 "a proxy that is late"
[ -e "$OUT/ran" ] || fail "it did not run"

say "a hook that is quicker than its application asks again"
stop agent
agent_up agent seed early
before=$(count_lines "$LOGS/agent.log" '^asked 1 ')
probe '["/bin/sh", "-c", "echo ran >/out/ran"]' postStart
rm -f "$OUT"/*
wrap
ends_with 0 "a hook that came early"
[ "$(count_lines "$LOGS/agent.log" '^asked 1 ')" = $((before + 3)) ] || fail "asked: $(tail -4 "$LOGS/agent.log")"

say "variables and files are of one version"
stop agent
agent_up agent seed
version 12 20 MARKED-twenty
runs 'cat /run/target/a >/out/ran; echo "$V" >>/out/ran' \
	'"env": [{"name": "V", "valueFrom": {"configMapKeyRef": {"name": "m", "key": "b"}}}]' \
	'"files": [{"source": "/src", "target": "/run/target", "objects": [{"kind": "ConfigMap", "name": "m"}]}]'
wrap "SEAL_ENV_0=$(value MARKED-twenty-b ConfigMap m b '' 20 2)"
ends_with 0 "one version"
refused "a variable newer than the files" 'two versions' "SEAL_ENV_0=$(value MARKED-newer ConfigMap m b '' 21 2)"

say "no memory is mounted in the place of another"
version 13 22 MARKED-twenty-two
cp -a "$SRC" "$(pod_path app /src2)"
on app mkdir -p /run/other
runs 'echo ran >/out/ran' '' '"files": [
	{"source": "/src", "target": "/run/target", "objects": [{"kind": "ConfigMap", "name": "m"}]},
	{"source": "/src2", "target": "/run/other", "objects": [{"kind": "ConfigMap", "name": "m"}]}]'
on app mount --bind /run/target /run/other
refused "one memory for two volumes" 'rule="?mount.kind"?.*the same tmpfs'
on app umount /run/other
on app mount -t tmpfs tmpfs /run/other
wrap
ends_with 0 "a memory for each"
on app umount /run/other

say "an update that could not be made is made later, without being told"
runs 'echo up >/out/up; exec sleep 90' '' \
	'"files": [{"source": "/src", "target": "/run/target", "objects": [{"kind": "ConfigMap", "name": "m"}]}]'
rm -f "$OUT"/*
start app wrapped env -i "$WRAP" "$SPEC"
wait_for 20 "the application" test -e "$OUT/up"
start app holder flock --no-fork /run/target sleep 60
sleep 0.5
before=$(count_lines "$LOGS/wrapped.log" 'event="?update_refused')
version 14 23 MARKED-twenty-three
wait_for 20 "the update to be refused" sent_back $((before + 1))
stop holder KILL
wait_for 45 "the update after all" says MARKED-twenty-three-aMARKED-twenty-three-b
stop wrapped

say "a signal ends the waiting"
stop agent
on app rm -f "$SOCKET"
start app wrapped env -i "$WRAP" "$SPEC"
sleep 0.3
rm -f "$OUT"/*
stop wrapped INT
[ "$STATUS" = 130 ] || fail "ended with $STATUS instead of 130"
[ ! -e "$OUT/ran" ] || fail "the application ran"
agent_up stranger seed silent
start app wrapped env -i "$WRAP" "$SPEC"
wait_for 10 "the silent one to be asked" has_line "$LOGS/stranger.log" heard
stop wrapped TERM
[ "$STATUS" = 143 ] || fail "ended with $STATUS instead of 143"
stop stranger

say "strangers on the socket learn the container's name and nothing else"
for manner in reflect noproof garbage; do
	agent_up stranger seed "$manner"
	refused "an agent that does $manner" 'does not know'
	stop stranger
	expect_no_line "$LOGS/stranger.log" 'asked|more'
done
agent_up stranger other-seed
refused "an agent with other keys" 'does not know'
expect_no_line "$LOGS/stranger.log" 'asked'
stop stranger

say "without the container's token, nothing"
agent_up agent seed
"$AGENT" token seed other >"$WORK/other-token"
cp "$TOKEN" "$WORK/token"
cp "$WORK/other-token" "$TOKEN"
refused "another container's token" 'container'
"$AGENT" token other-seed web >"$TOKEN"
refused "another workload's token" 'does not know'
echo nonsense >"$TOKEN"
refused "no token in the file" 'token'
rm "$TOKEN"
refused "no token" 'token'
touch "$TOKEN"
cp "$WORK/token" "$(pod_path app /out/token)"
on app mount --bind /out/token /etc/seal/token
refused "a token that the host mounted" 'mount'
on app umount /etc/seal/token
cp "$WORK/token" "$TOKEN"
chmod 0666 "$TOKEN"
refused "a token that anybody may change" 'changed by others'
chmod 0444 "$TOKEN"
refused_spec() {
	spec_of "$(jq -n '{version: 1, container: {name: "web", command: ["/bin/touch", "/out/ran"]}}')" spec "$@"
	refused "a spec for $*" 'container spec|sealed'
}
refused_spec other
refused_spec web other-seed

say "any user"
runs 'echo "$(id -u) $HOME" >/out/user'
chmod 1777 "$OUT"
on app env -i setpriv --reuid 65534 --regid 65534 --clear-groups "$WRAP" "$SPEC"
expect_line "$OUT/user" '^65534 /nonexistent$'
printf '#!/bin/sh\necho "$0 $1 $(cat /proc/$$/comm)" >/out/script-ran\n' >"$OUT/script"
chmod 0755 "$OUT/script"
runs_command ./script word
SPEC_OF_SCRIPT=$SPEC
on app env -i setpriv --reuid 65534 --regid 65534 --clear-groups sh -c 'cd /out && exec "$@"' sh "$WRAP" "$SPEC_OF_SCRIPT" >"$WORK/said" 2>&1 &&
	fail "a relative command was looked for where we were started"
runs_command /out/script word
on app env -i setpriv --reuid 65534 --regid 65534 --clear-groups "$WRAP" "$SPEC"
expect_line "$OUT/script-ran" '^/out/script word '

if [ -n "$IS_STATIC" ]; then
	say "in an image that holds nothing else"
	POLICY=$(jq -c '.mounts = [{path: "/run/seal", source: "volume"}]' <<<"$POLICY")
	runs_command /usr/bin/seal-wrap --version
	SPEC=$SPEC PYTHONPATH=$SUPPORT on app unshare --mount --propagation private python3 - >"$WORK/stdout" 2>"$WORK/said" <<-'END' ||
		import os, subprocess, container
		root = "/run/image"
		os.makedirs(root)
		container.mount("-t", "tmpfs", "tmpfs", root)
		for name in ("proc", "sys", "dev", "etc/seal", "usr/bin", "run/seal"):
		    os.makedirs(f"{root}/{name}")
		subprocess.run(["cp", "/usr/bin/seal-wrap", f"{root}/usr/bin/"], check=True)
		for name in ("seal/token", "hosts", "hostname", "resolv.conf"):
		    subprocess.run(["cp", f"/etc/{name}", f"{root}/etc/{name}"], check=True)
		container.make_system(root)
		container.mount("--bind", "/run/seal", f"{root}/run/seal")
		container.enter(root)
		os.execve("/usr/bin/seal-wrap", ["seal-wrap", os.environ["SPEC"]], {})
	END
		fail "$(tail -n 3 "$WORK/said")"
	expect_line "$WORK/stdout" '^seal-wrap [0-9]'
fi
