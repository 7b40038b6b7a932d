#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The programs are built and run hardened: position independent, full RELRO, stack protector, no executable
# stack; no core dumps, not dumpable, no new privileges; and no key is ever seen in arguments, environment,
# logs or on disk.
. "$(dirname "$0")/lib.sh"
need readelf python3 openssl curl setpriv

for program in seal seal-rot seal-proxy; do
	file=$SEAL_BUILD/$program
	say "$program: as built"
	readelf -hW "$file" >"$WORK/header"
	readelf -lW "$file" >"$WORK/segments"
	readelf -dW "$file" >"$WORK/dynamic"
	readelf -sW --dyn-syms "$file" >"$WORK/symbols"
	expect_line "$WORK/header" 'Type: +DYN'
	expect_line "$WORK/dynamic" 'FLAGS_1.*PIE'
	expect_line "$WORK/segments" 'GNU_RELRO'
	expect_line "$WORK/dynamic" 'BIND_NOW|FLAGS_1.*NOW'
	expect_line "$WORK/segments" 'GNU_STACK.* RW '
	expect_no_line "$WORK/segments" 'LOAD.* RWE '
	expect_line "$WORK/symbols" '__stack_chk_fail'
	expect_no_line "$WORK/dynamic" '(RPATH|RUNPATH|TEXTREL)'
	if ! grep -q '__asan_init' "$WORK/symbols"; then
		expect_line "$WORK/symbols" '__[a-z]+_chk'
	fi
done

rot_up
pod_new web
pod_new db
witness db 6379
sidecar db db --inbound 8443=6379
sidecar web web --outbound 6379=db:8443/db
[ "$(on web python3 "$SUPPORT/halfclose.py" 127.0.0.1 6379 <<<hello)" = hello ] || fail "no way through"

children() { cat "/proc/$1/task/$1/children"; }
read -ra signers < <(children "${PIDS[rot]}" && echo)
[ ${#signers[@]} = 1 ] || fail "seal-rot has ${#signers[@]} children instead of the signer"

for pid in "${PIDS[rot]}" "${signers[@]}" "${PIDS[proxy-web]}" "${PIDS[proxy-db]}"; do
	say "process $pid ($(tr '\0' ' ' <"/proc/$pid/cmdline" | cut -c 1-60)): as run"
	expect_line "/proc/$pid/limits" '^Max core file size +0 +0 '
	expect_line "/proc/$pid/status" '^NoNewPrivs:[[:space:]]+1'
	expect_line "/proc/$pid/status" '^Umask:[[:space:]]+0077'
	if ! grep -q libasan "/proc/$pid/maps"; then
		expect_no_line "/proc/$pid/maps" '^[0-9a-f-]+ rwx'
	fi
done

say "keys are held in locked memory"
for pid in "${signers[@]}" "${PIDS[proxy-web]}"; do
	[ "$(awk '/^VmLck:/ { print $2 }' "/proc/$pid/status")" -gt 0 ] || fail "process $pid has locked no memory"
done

say "not dumpable, not traceable: somebody of the same user without privileges sees nothing"
plain=(setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all --bounding-set=-all --)
mkdir -m 0700 "$WORK/nobody"
seal cert issue shop --peer web -o "$WORK/nobody/credentials" >/dev/null
chown -R 65534:65534 "$WORK/nobody"
chmod 0711 "$WORK"
start home unprivileged "${plain[@]}" "$SEAL_BUILD/seal-proxy" --credentials "$WORK/nobody/credentials" \
	--health "$HEALTH" --outbound 7000=127.0.0.1:9/db
wait_for 20 "a sidecar without privileges" is_healthy home
pid=${PIDS[unprivileged]}
[ "$(stat -c %u "/proc/$pid")" = 65534 ] || [ "$(awk '/^Uid:/ { print $2 }' "/proc/$pid/status")" = 65534 ] ||
	fail "the sidecar does not run as nobody"
[ "$(stat -c %u "/proc/$pid/mem")" = 0 ] || fail "/proc/$pid/mem belongs to the user: the process is dumpable"
for file in mem environ maps; do
	! "${plain[@]}" head -c 1 "/proc/$pid/$file" >/dev/null 2>&1 || fail "/proc/$pid/$file can be read by the same user"
done
expect_exit 1 "${plain[@]}" /usr/bin/python3 -c '
import ctypes, sys
libc = ctypes.CDLL(None, use_errno=True)
PTRACE_SEIZE = 0x4206
sys.exit(0 if libc.ptrace(PTRACE_SEIZE, int(sys.argv[1]), None, None) == 0 else 1)' "$pid"

say "no core file after a crash"
mkdir -m 0777 "$WORK/cores"
seal cert issue shop --peer web -o "$WORK/credentials" >/dev/null
python3 "$SUPPORT/crash.py" "$SEAL_BUILD/seal-proxy" "$WORK/credentials" "$WORK/cores" >"$LOGS/crash.log" 2>&1 ||
	fail "a crash would dump core: $(tail -n 1 "$LOGS/crash.log")"

say "the search for keys finds them where they are: in an egg, opened, and in a folder of credentials"
mkdir "$WORK/bait"
tr -d '\n' <"$WORK/web.egg" | cut -c 12- | tr '_-' '/+' | base64 -d 2>/dev/null >"$WORK/bait/egg.json" || true
expect_exit 1 python3 "$SUPPORT/leaks.py" --key "$WORK/web.egg" --tree "$WORK/bait"
expect_exit 1 python3 "$SUPPORT/leaks.py" --key "$WORK/web.egg" --tree "$WORK/credentials"

say "no key in arguments, environments, logs or files"
python3 "$SUPPORT/leaks.py" \
	--key "$WORK/web.egg" --key "$WORK/db.egg" --kek "$ROT_DIR/kek" \
	--pid "${PIDS[rot]}" --pid "${signers[0]}" --pid "${PIDS[proxy-web]}" --pid "${PIDS[proxy-db]}" \
	--tree "$LOGS" --tree "$(pod_written web)" --tree "$(pod_written db)" --tree "$ROT_DIR" --allow kek --allow admin ||
	fail "a key leaked"
