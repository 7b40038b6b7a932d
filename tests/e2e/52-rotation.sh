#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# CAs and keys of a workload are rotated through all their phases under live traffic between two pods: no request
# fails, no connection closes, what comes too early is refused and says whose fault that is.
# Takes: 66 s
. "$(dirname "$0")/lib.sh"
need python3 openssl curl jq

WITHIN=$((3 * SEAL_SLOW))
D=(--dir "$ROT_DIR")
CLI=$SEAL_BUILD/seal

rot_up
pod_new web
pod_new db
witness db 6379
sidecar db db --inbound 8443=6379
sidecar web web --outbound 6379=db:8443/db
wait_port web 6379

generations() { # generations MEMBER: "2:introduced 1:active"
	seal workload show shop -o json | jq -r --arg m "$1" '[.[$m][] | "\(.generation):\(.phase)"] | join(" ")'
}
expect_generations() { [ "$(generations "$1")" = "$2" ] || fail "$1: $(generations "$1"), not $2"; }
value() { seal workload show shop -o json | jq -r "$1"; } # of a workload
waiting() { value "[.$1[] | .waiting] | add"; }
is_waited_for() { [ "$(waiting "$1")" = "$2" ]; }
certified() { value "[.cas[] | select(.generation == $1) | .certificates] | add // 0"; }
depend_on() { [ "$(certified "$1")" = "$2" ]; }
issuer() {
	on web python3 "$SUPPORT/tls.py" peek db 8443 >"$WORK/shown.pem" || return 1
	openssl x509 -in "$WORK/shown.pem" -noout -issuer -nameopt RFC2253
}

say "traffic that goes on through everything that follows"
start web traffic python3 "$SUPPORT/traffic.py" 127.0.0.1 6379 2 "$WORK/over"
start web long-connection python3 "$SUPPORT/ticker.py" 127.0.0.1 6379 "$WORK/ticks"
wait_for 10 "the first tick" test -s "$WORK/ticks"
expect_untroubled() {
	is_alive traffic || fail "a request failed: $(tail -n 2 "$LOGS/traffic.log")"
	is_alive long-connection || fail "the long connection broke: $(tail -n 2 "$LOGS/long-connection.log")"
}

say "a CA is introduced: pods take it in, it signs nothing; what has it in files is named"
expect_generations cas "1:active"
seal cert issue shop --peer ops --ttl 1m -o "$WORK/ops" >/dev/null
ops=$(openssl x509 -in "$WORK/ops/cert.pem" -noout -serial | cut -d= -f2 | tr 'A-F' 'a-f')
expect_exit 1 "$CLI" workload rotate-ca shop --switch "${D[@]}"
expect_line "$WORK/err" 'no CA generation .* is introduced'
expect_exit 0 "$CLI" workload rotate-ca shop "${D[@]}"
expect_line "$WORK/out" '^2 +introduced '
expect_exit 1 "$CLI" workload rotate-ca shop "${D[@]}"
expect_line "$WORK/err" 'introduced already'
wait_for "$WITHIN" "both pods to take it in" is_waited_for cas 1
expect_exit 1 "$CLI" workload rotate-ca shop --switch "${D[@]}"
expect_line "$WORK/err" "1 certificate.*have not taken in CA generation 2: .*ops $ops \(in files\)"
seal workload show shop >"$WORK/shown"
expect_line "$WORK/shown" "^have not taken in CA 2 +ops +$ops"
[ "$(value '.cas[0].waiting_for[0] | [.peer, .serial, .egg] | tostring')" = "[\"ops\",\"$ops\",null]" ] ||
	fail "$(value '.cas[0].waiting_for')"
case $(issuer) in *"CN=shop 1,"*) ;; *) fail "signed by $(issuer)" ;; esac

say "it signs; pods renew by themselves, and the old one cannot go before they have"
expect_exit 0 "$CLI" workload rotate-ca shop --switch --force "${D[@]}"
expect_generations cas "2:active 1:old"
expect_exit 1 "$CLI" workload retire-ca shop 1 --yes "${D[@]}"
expect_line "$WORK/err" 'are certified by CA generation 1: wait'
expect_exit 1 "$CLI" workload retire-ca shop 2 --yes --force "${D[@]}"
expect_line "$WORK/err" 'the one that signs'
expect_exit 1 "$CLI" workload retire-ca shop 1 "${D[@]}"
expect_line "$WORK/err" '--yes'
expect_untroubled

say "pods of the old one renew by themselves, within half a minute"
pods_have_renewed() { [ "$(value '[.cas[] | select(.generation == 1) | .certified[] | select(.egg != null)] | length')" = 0 ]; }
wait_for $((35 * SEAL_SLOW)) "both pods to renew" pods_have_renewed
case $(issuer) in *"CN=shop 2,"*) ;; *) fail "signed by $(issuer)" ;; esac
expect_untroubled

say "a key is introduced: pods have it before it seals"
printf 'one' >"$WORK/one"
seal_one() { # seal_one NAME FILE: and the generation it was sealed with
	"$CLI" seal shop --peer web --kind Secret --name "$1" --key k "$WORK/one" "${D[@]}" >"$2"
	cut -d. -f1 "$2" | python3 -c 'import base64, json, sys; print(json.loads(base64.urlsafe_b64decode(sys.stdin.read() + "==="))["kid"])'
}
opens() { [ "$("$CLI" unseal "$1" "${D[@]}" 2>"$WORK/err")" = one ]; }
[ "$(seal_one first "$WORK/first")" = shop/config/web/1 ] || fail "not sealed with the first key"
expect_exit 0 "$CLI" workload rotate-key shop "${D[@]}"
expect_generations keys "2:introduced 1:active"
[ "$(seal_one second "$WORK/second")" = shop/config/web/1 ] || fail "an introduced key seals"
wait_for $((10 * SEAL_SLOW)) "both pods to get it" is_waited_for keys 0
expect_exit 0 "$CLI" workload rotate-key shop --switch "${D[@]}"
expect_generations keys "2:active 1:old"
[ "$(seal_one second "$WORK/second-2")" = shop/config/web/2 ] || fail "the key that was switched to does not seal"
opens "$WORK/second-2" || fail "what the new key sealed does not open"
opens "$WORK/first" || fail "what the old key sealed does not open any more"
expect_exit 1 "$CLI" workload retire-key shop 1 --yes "${D[@]}"
expect_line "$WORK/err" '1 object'
seal_one first "$WORK/first-2" >/dev/null
expect_exit 0 "$CLI" workload retire-key shop 1 --yes "${D[@]}"
! opens "$WORK/first" || fail "a retired key opens"
expect_line "$WORK/err" 'not in use'
opens "$WORK/first-2" || fail "what was sealed again does not open"
expect_untroubled

say "keys in one go"
expect_exit 0 "$CLI" workload rotate-key shop --wait "${D[@]}"
expect_line "$WORK/err" '^key generation 3 is introduced$'
expect_line "$WORK/err" '^key generation 3 is active$'
expect_generations keys "3:active 2:old 1:retired"

say "the old CA goes when the certificate in files has expired, and no connection with it"
wait_for $((70 * SEAL_SLOW)) "the certificate in files to expire" depend_on 1 0
expect_exit 0 "$CLI" workload retire-ca shop 1 --yes "${D[@]}"
expect_generations cas "2:active 1:retired"
[ "$(value .ca_bundle | grep -c BEGIN)" = 1 ] || fail "the bundle holds the retired CA"
sleep 2
expect_untroubled
[ "$(on web python3 "$SUPPORT/halfclose.py" 127.0.0.1 6379 <<<hello)" = hello ] || fail "no new connection"

if [ -n "${SEAL_LONG:-}" ]; then
	say "a CA in one go"
	expect_exit 0 "$CLI" workload rotate-ca shop --wait --timeout 2m "${D[@]}"
	expect_line "$WORK/err" '^CA generation 3 is introduced$'
	expect_line "$WORK/err" '^CA generation 3 is active$'
	expect_line "$WORK/err" '^CA generation 2 is retired$'
	expect_generations cas "3:active 2:retired 1:retired"
	expect_untroubled
fi

say "not one request was lost"
touch "$WORK/over"
wait_exit 25 traffic
[ "$STATUS" = 0 ] || fail "traffic: $(cat "$LOGS/traffic.log")"
say "$(tail -n 1 "$LOGS/traffic.log")"
is_alive long-connection || fail "the long connection broke"
expect_no_line "$LOGS/proxy-db.log" 'event=certificate_withdrawn'
expect_no_line "$LOGS/proxy-web.log" 'event=certificate_withdrawn'

say "what happened stands in the audit log"
seal audit list -o json | jq -r '.entries[].kind' | sort | uniq -c >"$WORK/kinds"
for kind in ca.introduce ca.switch ca.retire key.rotate key.switch key.retire; do
	expect_line "$WORK/kinds" " $kind$"
done
seal status >"$WORK/status" 2>"$WORK/err"
expect_line "$WORK/status" '^EXPIRES NEXT '
expect_line "$WORK/status" '^workload_ca +shop +[23] '
[ ! -s "$WORK/err" ] || fail "warned: $(cat "$WORK/err")"
