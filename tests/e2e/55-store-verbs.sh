#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What is done to a store as a whole: backup while it is served, restore, check, another key-encryption key of each
# kind, migration to etcd and back.  Whatever is wrong with key or file is refused and leaves nothing; whatever is
# killed on its way is as it was, or says so and is finished by doing it again.
# Takes: 40 s
. "$(dirname "$0")/lib.sh"
need python3 openssl curl

S=$SEAL_BUILD/seal
flips=20 kills=3
[ -z "${SEAL_LONG:-}" ] || flips=500 kills=40

# served DIR [OPTION...]: start it, and stop it again; the workloads that it knows are in $WORK/known.
served() {
	local dir=$1
	shift
	ROT_DIR=$dir
	rot_start "$@"
	seal workload list -o json | python3 -c 'import json, sys; print(*[w["name"] for w in json.load(sys.stdin)["workloads"]])' \
		>"$WORK/known"
	stop rot
	[ "$STATUS" = 0 ] || fail "seal-rot ended with $STATUS: $(tail -n 1 "$LOGS/rot.log")"
}

# knows DIR NAMES [OPTION...]
knows() {
	local dir=$1 names=$2
	shift 2
	served "$dir" "$@"
	[ "$(cat "$WORK/known")" = "$names" ] || fail "$dir knows '$(cat "$WORK/known")' instead of '$names'"
}

# not_served PATTERN DIR [OPTION...]: it ends with 1 and such a sentence.
not_served() {
	local pattern=$1 dir=$2
	shift 2
	expect_exit 1 timeout 20 "$SEAL_BUILD/seal-rot" --dir "$dir" "$@"
	expect_line "$WORK/err" "$pattern"
}

say "a backup of a store that is served, at one moment"
rot_up
for i in 1 2 3 4; do seal workload create "more-$i" >/dev/null; done
(for i in $(seq 40); do seal workload create "late-$i" >/dev/null 2>&1 || true; done) &
busy=$!
$S backup --dir "$ROT_DIR" -o "$WORK/b1" -o json >"$WORK/out" 2>/dev/null || $S backup --dir "$ROT_DIR" -o "$WORK/b1" >"$WORK/out"
wait "$busy" || true
[ "$(stat -c %a "$WORK/b1")" = 600 ] || fail "the backup is open to others"
expect_exit 1 $S backup --dir "$ROT_DIR" -o "$WORK/b1"
expect_line "$WORK/err" 'there already'
$S backup --dir "$ROT_DIR" -o "$WORK/b1" --force >/dev/null
$S store check --dir "$ROT_DIR" >"$WORK/out"
expect_line "$WORK/out" 'RECORDS +[1-9]'
for verb in "rekey" "store migrate --to sqlite" "restore $WORK/b1 --force --yes"; do
	# shellcheck disable=SC2086
	expect_exit 1 $S $verb --dir "$ROT_DIR"
	expect_line "$WORK/err" 'another seal-rot serves'
done
[ -z "$(find "$WORK" -maxdepth 1 -name "*b1.new*")" ] || fail "a half backup was left"
if grep -aq 'PRIVATE KEY' "$WORK/b1"; then fail "a private key lies open in the backup"; fi
stop rot
kek=$ROT_DIR/kek
first=$ROT_DIR

say "restored elsewhere it is served; another key, another directory, another store are refused"
expect_exit 1 $S restore "$WORK/b1" --dir "$first"
expect_line "$WORK/err" 'holds a root of trust already'
$S restore "$WORK/b1" --dir "$WORK/second" >"$WORK/out"
expect_line "$WORK/out" 'docs/BACKUP.md'
not_served 'no key-encryption key' "$WORK/second"
(umask 077 && openssl rand -hex 32 >"$WORK/wrong.kek")
not_served 'not the key-encryption key' "$WORK/second" --kek-file "$WORK/wrong.kek"
served "$first"
all=$(cat "$WORK/known")
knows "$WORK/second" "$all" --kek-file "$kek"
expect_line "$LOGS/rot.log" 'event=store_restored'
cp "$WORK/second/seal.db" "$first/seal.db.theirs"
mv "$first/seal.db" "$first/seal.db.ours" && mv "$first/seal.db.theirs" "$first/seal.db"
not_served 'remembers store' "$first"
mv "$first/seal.db.ours" "$first/seal.db"
$S restore "$WORK/b1" --dir "$WORK/second" --force --yes >/dev/null
[ -n "$(find "$WORK/second" -maxdepth 1 -name "seal.db.replaced-*")" ] || fail "what was there is gone"
knows "$WORK/second" "$all" --kek-file "$kek"

say "a backup with one byte changed, or cut short, is refused, and leaves nothing: $flips of each"
python3 - "$WORK/b1" "$flips" "$S" "$WORK/none" <<'EOF_PY'
import os, random, subprocess, sys
path, count, seal, target = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
good = open(path, "rb").read()
places = [0, 5, 13, 14, 17, 18, 25, len(good) - 1, len(good) - 32, len(good) - 33] + [random.randrange(len(good)) for _ in range(count)]
def refused(data, what):
    with open(path + ".bad", "wb") as out:
        out.write(data)
    done = subprocess.run([seal, "restore", path + ".bad", "--dir", target], capture_output=True, text=True)
    if done.returncode != 1 or os.path.exists(target):
        sys.exit(f"{what}: {done.returncode} {done.stderr}")
for at in places:
    bad = bytearray(good)
    bad[at] ^= 1 << random.randrange(8)
    refused(bad, f"byte {at} changed")
for at in [0, 1, 14, 18, len(good) - 1] + [random.randrange(len(good)) for _ in range(count // 4)]:
    refused(good[:at], f"cut at {at}")
refused(good + b"\n", "something behind it")
EOF_PY

say "a damaged store is said, not backed up"
cp -r "$first" "$WORK/damaged"
python3 - "$WORK/damaged/seal.db" <<'EOF_PY'
import sys
with open(sys.argv[1], "r+b") as db:
    db.seek(3 * 4096 + 2000)
    byte = db.read(1)
    db.seek(3 * 4096 + 2000)
    db.write(bytes([byte[0] ^ 4]))
EOF_PY
expect_exit 1 $S store check --dir "$WORK/damaged"
expect_line "$WORK/err" 'damaged'
expect_exit 1 $S backup --dir "$WORK/damaged" -o "$WORK/b-damaged"
[ ! -e "$WORK/b-damaged" ] || fail "a backup of a damaged store"

say "another key: fresh, of a file, of a passphrase, and back"
cp "$kek" "$WORK/old.kek"
$S rekey --dir "$first" >"$WORK/out"
expect_line "$WORK/out" 'kek\.1$'
if cmp -s "$kek" "$WORK/old.kek"; then fail "the key is the old one"; fi
cmp -s "$first/kek.1" "$WORK/old.kek" || fail "the old key is gone"
knows "$first" "$all"
not_served 'not the key-encryption key' "$first" --kek-file "$WORK/old.kek"
expect_exit 1 $S rekey --dir "$first" --kek-file "$WORK/wrong.kek"
expect_line "$WORK/err" 'not the key-encryption key'
rm -f "$first/kek.new"
expect_exit 1 $S rekey --dir "$first" --new-kek-file "$first/kek"
expect_line "$WORK/err" 'is the old one'
$S rekey --dir "$first" --new-kek-file "$WORK/wrong.kek" >/dev/null
knows "$first" "$all" --kek-file "$WORK/wrong.kek"
printf 'too short\n' >"$WORK/short.pass"
printf 'correct horse battery staple\n' >"$WORK/good.pass"
printf 'incorrect horse battery staple\n' >"$WORK/wrong.pass"
chmod 600 "$WORK"/*.pass "$WORK"/*.kek
expect_exit 1 $S rekey --dir "$first" --kek-file "$WORK/wrong.kek" --new-passphrase-file "$WORK/short.pass"
expect_line "$WORK/err" '16 to 1024 bytes'
$S rekey --dir "$first" --kek-file "$WORK/wrong.kek" --new-passphrase-file "$WORK/good.pass" >/dev/null
not_served 'under a passphrase' "$first" --kek-file "$WORK/wrong.kek"
not_served 'under a passphrase' "$first"
not_served 'not the key-encryption key' "$first" --kek-passphrase-file "$WORK/wrong.pass"
expect_exit 2 "$SEAL_BUILD/seal-rot" --dir "$first" --kek-file "$WORK/wrong.kek" --kek-passphrase-file "$WORK/good.pass"
knows "$first" "$all" --kek-passphrase-file "$WORK/good.pass"
mkdir -m 700 "$WORK/credentials"
cp "$WORK/good.pass" "$WORK/credentials/seal-kek"
CREDENTIALS_DIRECTORY=$WORK/credentials knows "$first" "$all"
say "asked for at a terminal, which does not show it"
python3 - "$SEAL_BUILD/seal" "$first" "$WORK/good.pass" <<'EOF_PY'
import os, pty, sys, time
seal, where, passphrase = sys.argv[1:]
pid, terminal = pty.fork()
if pid == 0:
    os.execv(seal, [seal, "rekey", "--dir", where])
seen = b""
while b"Passphrase: " not in seen:
    seen += os.read(terminal, 1024)
time.sleep(0.2)
os.write(terminal, open(passphrase, "rb").read())
try:
    while True:
        part = os.read(terminal, 1024)
        if not part:
            break
        seen += part
except OSError:
    pass
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
if status != 0 or b"horse" in seen:
    sys.exit(f"{status}: {seen}")
EOF_PY
knows "$first" "$all"
cp "$first/kek" "$WORK/credentials/seal-kek"
mv "$first/kek" "$WORK/away.kek"
CREDENTIALS_DIRECTORY=$WORK/credentials knows "$first" "$all"
mv "$WORK/away.kek" "$first/kek"
"$S" store check --dir "$first" >/dev/null

say "made with a passphrase"
"$S" init --dir "$WORK/third" --url "https://$ROT_HOST:$ROT_PORT" --trust-domain seal.test --kek-passphrase-file - \
	<"$WORK/good.pass" >/dev/null
[ ! -e "$WORK/third/kek" ] || fail "a key file beside a passphrase"
knows "$WORK/third" "" --kek-passphrase-file "$WORK/good.pass"

# killed_at_random DIR-TO-COPY COMMAND...: kill -9 it at some moment of its run; "$WORK/k" is the copy.
killed_at_random() {
	local from=$1 pause
	shift
	rm -rf "$WORK/k"
	cp -a "$from" "$WORK/k"
	pause=$(python3 -c 'import random, sys; print(random.random() * float(sys.argv[1]))' "${longest:-0.1}")
	start home victim "$@"
	sleep "$pause"
	kill -KILL "${PIDS[victim]}" 2>/dev/null || true
	wait "${PIDS[victim]}" 2>/dev/null || true
	unset 'PIDS[victim]'
}

say "rekey, killed $kills times: done again it is done, or was done"
for ((i = 0; i < kills; i++)); do
	killed_at_random "$first" "$S" rekey --dir "$WORK/k"
	"$S" rekey --dir "$WORK/k" >/dev/null || fail "it cannot be finished: $(ls "$WORK/k")"
	knows "$WORK/k" "$all"
done

say "restore, killed $kills times"
mkdir -m 700 "$WORK/empty"
for ((i = 0; i < kills; i++)); do
	killed_at_random "$WORK/empty" "$S" restore "$WORK/b1" --dir "$WORK/k"
	[ -e "$WORK/k/seal.db" ] || "$S" restore "$WORK/b1" --dir "$WORK/k" >/dev/null || fail "it cannot be finished"
	knows "$WORK/k" "$all" --kek-file "$WORK/old.kek"
done

have_etcd() { command -v etcd >/dev/null; }
have_etcd || { say "no etcd: migrations are not tried"; exit 0; }
mkfifo "$WORK/hold"
exec 9<>"$WORK/hold"
"$BASH" "$SUPPORT/etcd.sh" "$WORK/etcd" 1 <"$WORK/hold" >"$LOGS/etcd.log" 2>&1 &
PIDS[etcd]=$!
wait_for 40 "etcd" test -s "$WORK/etcd/ready"
# shellcheck disable=SC1091
endpoints=$(. "$WORK/etcd/ready" 2>/dev/null; sed -n 's/^endpoints=//p' "$WORK/etcd/ready")
to_etcd=(--to "etcd:$endpoints" --store-ca "$WORK/etcd/ca.pem" --store-cert "$WORK/etcd/cert.pem" --store-key "$WORK/etcd/key.pem")
at_etcd=(--store "etcd:$endpoints" "${to_etcd[@]:2}")

say "to etcd, and back"
cp -a "$first" "$WORK/m"
"$S" store migrate --dir "$WORK/m" "${to_etcd[@]}" --store-prefix /one/ >"$WORK/out"
expect_line "$WORK/out" 'etcd:.* below /one/'
knows "$WORK/m" "$all"
not_served 'was moved to etcd' "$WORK/m" --store sqlite
expect_exit 1 "$S" store migrate --dir "$WORK/m" "${to_etcd[@]}" --store-prefix /one/
expect_line "$WORK/err" 'there already'
expect_exit 1 "$S" init --dir "$WORK/n" --url "https://$ROT_HOST:$ROT_PORT" "${at_etcd[@]}" --store-prefix /one/
expect_line "$WORK/err" 'holds a store already'
[ ! -e "$WORK/n" ] || fail "a directory was left"
"$S" backup --dir "$WORK/m" -o "$WORK/b-etcd" >/dev/null
"$S" restore "$WORK/b-etcd" --dir "$WORK/from-etcd" >/dev/null
knows "$WORK/from-etcd" "$all" --kek-file "$first/kek"
"$S" restore "$WORK/b1" --dir "$WORK/into-etcd" "${at_etcd[@]}" --store-prefix /two/ >/dev/null
knows "$WORK/into-etcd" "$all" --kek-file "$WORK/old.kek"
expect_exit 1 "$S" restore "$WORK/b-etcd" --dir "$WORK/other" "${at_etcd[@]}" --store-prefix /two/
expect_line "$WORK/err" 'name another place'
"$S" rekey --dir "$WORK/m" >/dev/null
knows "$WORK/m" "$all"
"$S" store migrate --dir "$WORK/m" --to sqlite >/dev/null
knows "$WORK/m" "$all"
[ -e "$WORK/m/seal.db.moved" ] || fail "the old file is gone"

say "migrations, killed $kills times each: never both can be served; done again they are done; or taken back"
for ((i = 0; i < kills; i++)); do
	longest=0.4
	killed_at_random "$first" "$S" store migrate --dir "$WORK/k" "${to_etcd[@]}" --store-prefix "/k$i/"
	if [ $((i % 3)) = 2 ] && grep -q sqlite "$WORK/k/store"; then
		"$S" store migrate --dir "$WORK/k" --to sqlite >/dev/null 2>"$WORK/err" ||
			expect_line "$WORK/err" 'there already'
		knows "$WORK/k" "$all"
		continue
	fi
	grep -q etcd "$WORK/k/store" || "$S" store migrate --dir "$WORK/k" "${to_etcd[@]}" --store-prefix "/k$i/" >/dev/null ||
		fail "it cannot be finished"
	knows "$WORK/k" "$all"
	not_served 'was moved to etcd' "$WORK/k" --store sqlite
	rm -rf "$WORK/k2"
	cp -a "$WORK/k" "$WORK/k2"
	longest=0.2
	killed_at_random "$WORK/k2" "$S" rekey --dir "$WORK/k"
	"$S" rekey --dir "$WORK/k" >/dev/null || fail "rekey cannot be finished"
	knows "$WORK/k" "$all"
	rm -rf "$WORK/k2"
	cp -a "$WORK/k" "$WORK/k2"
	longest=0.4
	killed_at_random "$WORK/k2" "$S" store migrate --dir "$WORK/k" --to sqlite
	if grep -q etcd "$WORK/k/store" || [ ! -e "$WORK/k/seal.db" ]; then
		"$S" store migrate --dir "$WORK/k" --to sqlite >/dev/null || fail "it cannot be finished: $(ls "$WORK/k")"
	fi
	knows "$WORK/k" "$all"
done
