#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What changes at the root of trust reaches a running sidecar within two seconds: connections that are no longer
# allowed are closed, those and no others; a root of trust that is silent, lies or is gone changes nothing; one that
# withdraws the sidecar's own certificate ends everything.
# Takes: 115 s
. "$(dirname "$0")/lib.sh"
need python3 openssl curl

FAKE=$WORK/fake
WITHIN=$((2 * SEAL_SLOW))
CHANGES=250
[ -z "${SEAL_LONG:-}" ] || CHANGES=1000

python3 "$SUPPORT/fake_rot.py" init "$FAKE" "$ROT_HOST" 9000 >"$LOGS/fake-init.log" 2>&1
cat "$FAKE/workload.pem" "$FAKE/next.pem" >"$FAKE/both.pem"
declare -A SERIALS=()
for name in ops-1 ops-2 ops-3 mail; do
	SERIALS[$name]=$(python3 "$SUPPORT/fake_rot.py" pod "$FAKE" "$name" "${name%-*}" workload)
done
SERIALS[ops-next]=$(python3 "$SUPPORT/fake_rot.py" pod "$FAKE" ops-next ops next)
[ ${#SERIALS[ops-1]} = 32 ] || fail "a serial number of another length: ${SERIALS[ops-1]}"

# news EPOCH CLIENTS REVOKED CAS ISSUER: what the root of trust says from now on; lists are words with commas.
news() {
	python3 - "$FAKE" "$@" <<-'EOF'
		import json, os, sys
		folder, epoch, clients, revoked, cas, issuer = sys.argv[1:]
		split = lambda text: text.split(",") if text else []
		with open(folder + "/news.new", "w") as file:
		    json.dump({"epoch": int(epoch), "clients": split(clients), "servers": [], "revoked": split(revoked),
		               "ca_bundle": split(cas), "issuer": issuer, "floor": {}, "keys": [], "renew": False}, file)
		os.rename(folder + "/news.new", folder + "/news")
	EOF
}

rot_up_again() {
	rm -f "$FAKE/serving"
	start home fake-rot python3 "$SUPPORT/fake_rot.py" serve "$FAKE"
	wait_for 20 "the fake root of trust" test -e "$FAKE/serving"
}

is_up() { has_line "$WORK/held-$1" ' up$'; }
has_ended() { has_line "$WORK/held-$1" ' (closed|ended|CORRUPT) '; }

# hold NAME CERT: a connection that goes on until it is closed.
hold() {
	start home "held-$1" python3 "$SUPPORT/held.py" web 8443 "$FAKE/both.pem" "$FAKE/$2" "$WORK/held-$1"
	wait_for 10 "connection $1" is_up "$1"
}

expect_closed() {
	local name
	for name in "$@"; do
		wait_for "$WITHIN" "connection $name to be closed" has_line "$WORK/held-$name" ' closed '
		wait_exit 10 "held-$name"
	done
}

expect_kept() {
	local name
	for name in "$@"; do
		! has_ended "$name" || fail "connection $name was not kept: $(tail -n 1 "$WORK/held-$name")"
		is_alive "held-$name" || fail "connection $name is gone"
	done
}

# A line through the proxy, with this certificate; prints what comes back.
meet() {
	printf 'hello\n' | timeout 5 openssl s_client -connect web:8443 -CAfile "$FAKE/both.pem" -cert "$FAKE/$1.pem" \
		-key "$FAKE/$1.key" -tls1_3 -quiet -verify_quiet 2>/dev/null | head -n 1
}
expect_met() { [ "$(meet "$1")" = hello ] || fail "$1 was not served"; }
expect_refused_peer() { [ -z "$(meet "$1")" ] || fail "$1 was served"; }

CONTROL=unix:/run/seal/proxy.sock
status() { on web "$SEAL_BUILD/seal-proxy" status --control "$CONTROL" -o json; }
sync_value() { status | python3 -c 'import json, sys; print(json.load(sys.stdin)["sync"][sys.argv[1]])' "$1"; }
is_at() { [ "$(sync_value epoch)" = "$1" ]; }
wait_epoch() { wait_for "$WITHIN" "epoch $1" is_at "$1"; }

news 7 ops,mail "" workload,next workload
rot_up_again
pod_new web
lay_egg web "$FAKE/good.egg"
witness web 6379 silent
proxy_up web proxy --inbound 8443=6379 --control "$CONTROL" --metrics 127.0.0.1:9902
LOG=$LOGS/proxy.log
expect_line "$LOG" 'event=synced epoch=7'
expect_no_line "$LOG" 'event=sync_late'
is_at 7 || fail "ready before the first news were applied"
head -n 1 "$FAKE/asked" | grep -q ' 0$' || fail "the first question was not for everything: $(head -n 1 "$FAKE/asked")"
for name in ops-1 ops-2 ops-3 ops-next mail; do
	hold "$name" "$name"
done

say "a policy without mail closes mail and nothing else"
news 8 ops "" workload,next workload
expect_closed mail
expect_kept ops-1 ops-2 ops-3 ops-next
expect_line "$LOG" 'event=connection .*peer="mail" .*not allowed by policy'
expect_refused_peer mail
expect_met ops-1

say "a revoked certificate closes its own connections, and cannot be used again, nor its sessions"
(printf 'hello\n'; sleep 1) | timeout 5 openssl s_client -connect web:8443 -CAfile "$FAKE/both.pem" -cert "$FAKE/ops-1.pem" \
	-key "$FAKE/ops-1.key" -tls1_3 -sess_out "$WORK/session" >"$WORK/first" 2>/dev/null
resume() {
	(printf 'hello\n'; sleep 1) | timeout 5 openssl s_client -connect web:8443 -CAfile "$FAKE/both.pem" -cert "$FAKE/ops-1.pem" \
		-key "$FAKE/ops-1.key" -tls1_3 -sess_in "$WORK/session" -sess_out "$WORK/session" >"$WORK/again" 2>/dev/null || true
}
resume
expect_line "$WORK/again" '^Reused, TLSv1.3'
expect_line "$WORK/again" '^hello$'
news 9 ops "${SERIALS[ops-1]}" workload,next workload
expect_closed ops-1
expect_kept ops-2 ops-3 ops-next
expect_line "$LOG" "event=connection .*certificate ${SERIALS[ops-1]} of peer 'ops' is revoked"
[ "$(sync_value revoked)" = 1 ] || fail "the status does not count the revoked"
expect_refused_peer ops-1
resume
expect_no_line "$WORK/again" '^Reused'
expect_no_line "$WORK/again" '^hello$'
expect_met ops-2

say "a bundle of two CAs, and then without the old one: its peers are closed, and our own certificate is renewed"
news 10 ops "" next next
expect_closed ops-2 ops-3
expect_kept ops-next
expect_line "$LOG" 'event=connection .*the CA that certified peer .*ops.* is trusted no more'
wait_for 10 "a renewal" has_line "$LOG" 'event=renewed '
wait_for 10 "the certificate of the next CA" sh -c "openssl s_client -connect web:8443 -cert '$FAKE/ops-next.pem' \
	-key '$FAKE/ops-next.key' -CAfile '$FAKE/next.pem' -verify_return_error </dev/null 2>&1 | grep -q 'Verify return code: 0'"
expect_refused_peer ops-2
expect_met ops-next
expect_kept ops-next
[ "$(count_lines "$LOG" 'event=renewed ')" = 1 ] || fail "renewed more than once"

say "a root of trust that hangs, closes, lies or is out of order changes nothing"
epoch=11
# After a few failures it asks twice a minute, and who hangs is heard out: all of them only in the long form.
modes="close garbage 503"
[ -z "${SEAL_LONG:-}" ] || modes="hang $modes drip 404"
for mode in $modes; do
	news "$epoch" ops "" next next
	wait_for 70 "epoch $epoch before $mode" is_at "$epoch"
	printf '%s\n' "$mode" >"$FAKE/sync-mode"
	sleep 0.5
	news $((epoch + 1)) "" "" next next
	sleep 1.5
	expect_kept ops-next
	is_healthy web || fail "$mode: not ready"
	is_at "$epoch" || fail "$mode: something was applied"
	expect_met ops-next
	news $((epoch + 2)) ops "" next next
	rm "$FAKE/sync-mode"
	[ "$mode" = 404 ] || wait_for 40 "epoch $((epoch + 2)) after $mode" is_at $((epoch + 2))
	epoch=$((epoch + 3))
done
if [ -n "${SEAL_LONG:-}" ]; then
	say "one too old to be asked is asked again within a minute"
	wait_for 70 "news after 404" is_at $((epoch - 1))
	expect_line "$LOG" 'event=sync_absent'
fi
expect_line "$LOG" 'event=sync_back'
expect_line "$LOG" 'event=sync_failed'
expect_kept ops-next
asked=$(wc -l <"$FAKE/asked")
[ "$asked" -lt 250 ] || fail "$asked questions: it asks without end"

say "an answer of the same epoch without end is not asked for without end"
asked=$(wc -l <"$FAKE/asked")
echo early >"$FAKE/sync-mode"
sleep 2
rm "$FAKE/sync-mode"
asked=$(($(wc -l <"$FAKE/asked") - asked))
[ "$asked" -le 25 ] || fail "$asked questions in two seconds"

say "an epoch that goes backwards counts"
news 3 ops,mail "" next next
wait_for 10 "epoch 3" is_at 3
expect_kept ops-next

say "a root of trust that is gone for long is missed by nobody, and found again"
stop fake-rot
sleep 8
expect_kept ops-next
expect_met ops-next
is_healthy web || fail "not ready without the root of trust"
[ "$(sync_value age_seconds)" -ge 7 ] || fail "the age of the last answer is $(sync_value age_seconds)"
on web curl -s http://127.0.0.1:9902/metrics >"$WORK/metrics"
expect_line "$WORK/metrics" '^seal_sync_age_seconds [0-9]+$'
expect_line "$WORK/metrics" '^seal_sync_total\{result="failed"\} [1-9]'
expect_line "$WORK/metrics" '^seal_sync_epoch 3$'
expect_line "$WORK/metrics" '^seal_revoked_serials 0$'
news 4 ops "" next next
rot_up_again
wait_for 40 "epoch 4" is_at 4
expect_kept ops-next
on web "$SEAL_BUILD/seal-proxy" status --control "$CONTROL" >"$WORK/table"
expect_line "$WORK/table" '^sync +epoch 4, answered '

say "$CHANGES changes in a row leave nothing behind and disturb nobody who is allowed"
# resident KiB and descriptors
usage() {
	local pid
	pid=$(status | python3 -c 'import json, sys; print(json.load(sys.stdin)["pid"])')
	printf '%s %s\n' "$(awk '/^VmRSS/ { print $2 }' "/proc/$pid/status")" "$(find "/proc/$pid/fd" -mindepth 1 | wc -l)"
}
changes() {
	python3 - "$FAKE" "$1" "$2" <<-'EOF'
		import json, os, sys, time
		folder, first, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
		news = json.load(open(folder + "/news"))
		for epoch in range(first, first + count):
		    news["epoch"] = epoch
		    news["clients"] = ["ops", f"p{epoch}"]
		    news["revoked"] = [f"4{n:031x}" for n in range(epoch % 512)]
		    with open(folder + "/news.new", "w") as file:
		        json.dump(news, file)
		    os.rename(folder + "/news.new", folder + "/news")
		    time.sleep(0.06)
	EOF
}
changes 1000 100
wait_for 10 "epoch 1099" is_at 1099
before=$(usage)
changes 2000 "$CHANGES" &
changing=$!
held=()
for ((i = 0; i < 8; i++)); do
	hold "more-$i" ops-next
	held+=("more-$i")
	sleep 0.5
done
wait "$changing"
wait_for 10 "the last epoch" is_at $((1999 + CHANGES))
expect_kept ops-next "${held[@]}"
for name in "${held[@]}"; do
	stop "held-$name"
	expect_line "$WORK/held-$name" ' ended '
done
sleep 1
after=$(usage)
say "resident KiB and descriptors: before $before, after $after; epochs applied: $(count_lines "$LOG" 'event=synced ')"
[ "${after#* }" -le $((${before#* } + 2)) ] || fail "descriptors: $before, then $after"
if [ -z "${SEAL_SANITIZED:-}" ] && [ "$SEAL_SLOW" = 1 ]; then
	[ "${after% *}" -le $((${before% *} + 2048)) ] || fail "memory: $before, then $after"
fi
expect_kept ops-next

say "a certificate that is withdrawn ends everything, once, until the egg hatches again"
touch "$FAKE/refuse-hatch"
echo 403 >"$FAKE/sync-mode"
expect_closed ops-next
expect_line "$LOG" 'event=connection .*the root of trust has withdrawn our certificate'
expect_refused_peer ops-next
! is_healthy web || fail "ready without a certificate"
is_alive proxy || fail "the sidecar gave up"
sleep 4
[ "$(count_lines "$LOG" 'event=certificate_withdrawn')" = 1 ] || fail "said more than once"
[ "$(count_lines "$LOG" 'event=hatch_failed')" = 1 ] || fail "the refusal was said $(count_lines "$LOG" 'event=hatch_failed') times"
on web "$SEAL_BUILD/seal-proxy" status --control "$CONTROL" >"$WORK/table"
expect_line "$WORK/table" '^sync +WITHDRAWN'
news 5000 ops "" next next
rm "$FAKE/sync-mode" "$FAKE/refuse-hatch"
wait_for 40 "another identity" is_healthy web
expect_met ops-next


say "a sidecar that starts while nobody answers waits five seconds for news, and no longer"
stop proxy
[ "$STATUS" = 0 ] || fail "the sidecar ended with $STATUS"
lay_egg web "$FAKE/good.egg"
echo 503 >"$FAKE/sync-mode"
begin=$(date +%s%N)
proxy_up web proxy-late --inbound 8443=6379
took=$((($(date +%s%N) - begin) / 1000000))
[ "$took" -ge 4500 ] || fail "it was ready after $took ms"
[ "$took" -le $((9000 * SEAL_SLOW)) ] || fail "it took $took ms"
expect_line "$LOGS/proxy-late.log" 'event=sync_late'
expect_met ops-next
