#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# A store in etcd: three real members, two replicas of seal-rot.  A pod hatches through either; a change made through
# one is known to the other; killing the leader loses no acknowledged change, and writes are back within three
# seconds; without a majority nothing is acknowledged, and everything comes back with it.  Another store, another
# cluster, a wrong certificate and a wrong key are refused, by name.
# Takes: 45 s
. "$(dirname "$0")/lib.sh"
need python3 openssl curl etcd

S=$SEAL_BUILD/seal
WITHIN=$((3 * SEAL_SLOW))

# etcd_up NAME MEMBERS: a cluster; its certificates are in $WORK/NAME.
etcd_up() {
	mkfifo "$WORK/$1.hold"
	eval "exec $((10 + ${#PIDS[@]}))<>'$WORK/$1.hold'"
	"$BASH" "$SUPPORT/etcd.sh" "$WORK/$1" "$2" <"$WORK/$1.hold" >"$LOGS/$1.log" 2>&1 &
	PIDS[$1]=$!
	wait_for 60 "$1" test -s "$WORK/$1/ready"
}
endpoints() { sed -n 's/^endpoints=//p' "$WORK/$1/ready"; }

etcd_up etcd 3
read -ra members <<<"$(sed -n 's/^pids=//p' "$WORK/etcd/ready")"
IFS=, read -ra urls <<<"$(endpoints etcd)"
at_etcd=(--store "etcd:$(endpoints etcd)" --store-ca "$WORK/etcd/ca.pem" --store-cert "$WORK/etcd/cert.pem" --store-key "$WORK/etcd/key.pem")

say "made once, served by two; the second has nothing but a place, a certificate and the key"
"$S" init --dir "$ROT_DIR" --url "https://$ROT_HOST:8443" --url "https://$ROT_HOST:8444" --trust-domain seal.test "${at_etcd[@]}" \
	>"$LOGS/init.log" 2>&1
[ ! -e "$ROT_DIR/seal.db" ] || fail "a file beside etcd"
replica_is_settled() { is_gone "$1" || "$S" status --dir "$2"; }
# replica NAME DIR OPTION...
replica() {
	local name=$1 dir=$2
	shift 2
	start home "$name" "$SEAL_BUILD/seal-rot" --dir "$dir" "$@"
	wait_for 20 "$name" replica_is_settled "$name" "$dir"
	is_alive "$name" || fail "$name ended: $(tail -n 1 "$LOGS/$name.log")"
}
one=$ROT_DIR two=$WORK/two
replica one "$one" --health 127.0.0.1:9801
replica two "$two" --listen 0.0.0.0:8444 --kek-file "$one/kek" "${at_etcd[@]}" --health 127.0.0.1:9802
"$S" workload create shop --dir "$one" >/dev/null
"$S" peer allow shop web db --dir "$two" >/dev/null
"$S" peer list shop --dir "$one" >"$WORK/out"
expect_line "$WORK/out" 'web +db'
[ "$(ls "$two" | sort | tr '\n' ' ')" = "lock rot.sock " ] || fail "the second replica keeps $(ls "$two")"

say "an egg knows both; a pod hatches through whichever is there"
pod_new web
mint "$WORK/web.egg" shop --peer web
lay_egg web "$WORK/web.egg"
stop one
proxy_up web proxy-web --outbound 6379=db:8443/db
expect_line "$LOGS/two.log" 'event=hatched'
stop proxy-web
stop two
replica one "$one" --health 127.0.0.1:9801
mint "$WORK/web2.egg" shop --peer web
lay_egg web "$WORK/web2.egg"
proxy_up web proxy-web2 --outbound 6379=db:8443/db
expect_line "$LOGS/one.log" 'event=hatched'
replica two "$two" --listen 0.0.0.0:8444 --kek-file "$one/kek" "${at_etcd[@]}" --health 127.0.0.1:9802

status_of() { curl -s -o /dev/null -w '%{http_code}' --max-time 20 "http://$1/readyz" || true; }
is_ready() { [ "$(status_of "$1")" = 200 ]; }
is_not_ready() { [ "$(status_of "$1")" = 503 ]; }

# leader: its place among the members.
leader() {
	local i said
	for i in "${!urls[@]}"; do
		said=$(curl -s --max-time 2 --noproxy '*' --cacert "$WORK/etcd/ca.pem" --cert "$WORK/etcd/cert.pem" --key "$WORK/etcd/key.pem" \
			-X POST -d '{}' "${urls[i]}/v3/maintenance/status") || continue
		python3 -c 'import json, sys; s = json.loads(sys.argv[1]); sys.exit(s["leader"] != s["header"]["member_id"])' "$said" && echo "$i" && return
	done
	return 1
}

say "the leader is killed while changes are made through both: none that was acknowledged is lost"
cat >"$WORK/write.py" <<'EOF_PY'
import subprocess, sys, time
seal, where, name, out, until = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4], time.time() + float(sys.argv[5])
n, last, gap = 0, time.time(), 0.0
with open(out, "w") as log:
    while time.time() < until:
        done = subprocess.run([seal, "workload", "create", f"{name}-{n}", "--dir", where], capture_output=True, text=True)
        now = time.time()
        # Tried again after nobody knew: it is there then.
        if done.returncode == 0 or "exists" in done.stderr or "already" in done.stderr:
            print(f"{name}-{n}", file=log, flush=True)
            gap, last, n = max(gap, now - last), now, n + 1
    gap = max(gap, time.time() - last)
print(f"{n} changes, {gap:.2f} s without one at most")
with open(out + ".gap", "w") as file:
    print(f"{gap:.2f}", file=file)
EOF_PY
start home write-one python3 "$WORK/write.py" "$S" "$one" one "$WORK/made-one" 6
start home write-two python3 "$WORK/write.py" "$S" "$two" two "$WORK/made-two" 6
wait_for 10 "changes" test -s "$WORK/made-two"
sleep 0.5
victim=$(leader) || fail "no leader"
kill -KILL "${members[victim]}"
wait_exit 30 write-one
wait_exit 30 write-two
cat "$LOGS/write-one.log" "$LOGS/write-two.log"
for made in one two; do
	python3 -c 'import sys; sys.exit(float(open(sys.argv[1]).read()) > float(sys.argv[2]))' "$WORK/made-$made.gap" "$WITHIN" ||
		fail "$made: $(cat "$WORK/made-$made.gap") s without a change"
done
for where in "$one" "$two"; do
	"$S" workload list --dir "$where" -o json | python3 -c 'import json, sys; print(*[w["name"] for w in json.load(sys.stdin)["workloads"]], sep="\n")' |
		sort >"$WORK/there"
	cat "$WORK/made-one" "$WORK/made-two" | sort >"$WORK/made"
	missing=$(comm -23 "$WORK/made" "$WORK/there")
	[ -z "$missing" ] || fail "acknowledged, and not there: $missing"
done

say "without a majority nothing is acknowledged; with it all is well again"
other=$(((victim + 1) % 3))
kill -STOP "${members[other]}"
wait_for 30 "readiness to be withdrawn" is_not_ready 127.0.0.1:9801
expect_exit 1 timeout 30 "$S" workload create never --dir "$one"
kill -CONT "${members[other]}"
wait_for 30 "readiness" is_ready 127.0.0.1:9801
wait_for 30 "readiness" is_ready 127.0.0.1:9802
wait_for 10 "a change" "$S" workload create after --dir "$two"
"$S" store check --dir "$one" >"$WORK/out"
expect_line "$WORK/out" "etcd:"
"$S" backup --dir "$one" -o "$WORK/backup" >/dev/null
"$S" restore "$WORK/backup" --dir "$WORK/copy" >/dev/null

say "another key changes nothing for those who are refused: a running replica is shut out"
stop one
"$S" rekey --dir "$one" >/dev/null
expect_exit 1 timeout 20 "$S" workload create late --dir "$two"
wait_for 10 "the replica with the old key to be unfit" is_not_ready 127.0.0.1:9802
stop two
replica one "$one" --health 127.0.0.1:9801
"$S" workload create anew --dir "$one" >/dev/null
replica two "$two" --listen 0.0.0.0:8444 --kek-file "$one/kek" "${at_etcd[@]}"
"$S" workload show anew --dir "$two" >/dev/null
stop two
not_served() {
	local pattern=$1
	shift
	expect_exit 1 timeout 30 "$SEAL_BUILD/seal-rot" "$@"
	expect_line "$WORK/err" "$pattern"
}
not_served 'not the key-encryption key' --dir "$two" --listen 0.0.0.0:8444 --kek-file "$one/kek.1" "${at_etcd[@]}"

say "another store, another cluster, nobody, a stranger"
stop one
"$S" init --dir "$WORK/theirs" --url "https://$ROT_HOST:8443" --trust-domain seal.test "${at_etcd[@]}" --store-prefix /theirs/ >/dev/null
not_served 'remembers store' --dir "$one" --store-prefix /theirs/
not_served 'there is no store' --dir "$one" --store-prefix /nothing/
etcd_up stranger 1
not_served '(certificate|verif|trust|issuer)' --dir "$one" --store "etcd:$(endpoints stranger)"
not_served 'there is no store' --dir "$one" --store "etcd:$(endpoints stranger)" --store-ca "$WORK/stranger/ca.pem" \
	--store-cert "$WORK/stranger/cert.pem" --store-key "$WORK/stranger/key.pem"
replica one "$one"
"$S" workload show anew --dir "$one" >/dev/null
