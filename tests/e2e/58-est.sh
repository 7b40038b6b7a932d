#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Enrolment over EST (RFC 7030) with curl and openssl as clients: a credential is good for one certificate, whoever
# races; whatever else is sent spends nothing; the certificate is a pod's to all others, can be followed by another,
# and ends when its enrolment is revoked.
# Takes: 20 s
. "$(dirname "$0")/lib.sh"
need curl openssl python3

EST=https://$ROT_HOST:8444/.well-known/est
CA=$WORK/system-ca.pem

member() { python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }

# credential FILE [OPTION...]: for curl -K; its id in $ID.
credential() {
	local file=$1
	shift
	rm -f "$file"
	ID=$(seal cert enrol shop "$@" -o "$file" --output json | member id)
}

# request NAME [SUBJECT]: a key NAME.key and a request NAME.b64.
request() {
	openssl ecparam -name prime256v1 -genkey -noout -out "$WORK/$1.key"
	openssl req -new -key "$WORK/$1.key" -subj "${2:-/CN=ignored}" -outform DER | openssl base64 >"$WORK/$1.b64"
}

# est WHERE BODY [CURL OPTION...]: the status; the body into $WORK/got, the head into $WORK/head.
est() {
	local where=$1 body=$2
	shift 2
	curl -sS --max-time 20 --cacert "$CA" -o "$WORK/got" -D "$WORK/head" -w '%{http_code}' \
		-H 'Content-Type: application/pkcs10' --data-binary "@$body" "$@" "$EST/$where"
}

# expect_est STATUS WHAT WHERE BODY [CURL OPTION...]
expect_est() {
	local want=$1 what=$2 got
	shift 2
	got=$(est "$@")
	[ "$got" = "$want" ] || fail "$what: wanted $want, got $got: $(head -c 300 "$WORK/got")"
}

# expect_refused_est WHAT WHERE BODY [CURL OPTION...]: 401 with a challenge, and one sentence for all reasons.
expect_refused_est() {
	expect_est 401 "$@"
	expect_line "$WORK/head" '^WWW-Authenticate: Basic realm="est"'
	expect_line "$WORK/head" '^Content-Type: text/plain'
	[ "$(cat "$WORK/got")" = "enrolment refused" ] || fail "$1: it says $(cat "$WORK/got")"
}

# take FILE: the certificates of an answer.
take() { openssl base64 -d -in "$WORK/got" | openssl pkcs7 -inform DER -print_certs -out "$1"; }

state_of() {
	seal enrolment list -o json | python3 -c '
import json, sys
print(next(e["state"] for e in json.load(sys.stdin)["enrolments"] if e["id"] == sys.argv[1]))' "$1"
}

rot_init
rot_start --est "0.0.0.0:8444" --rate-per-address 0
seal workload create shop >/dev/null
seal workload create other >/dev/null
seal peer allow shop web db >/dev/null
seal status -o json | member ca >"$CA"
request one

say "cacerts without a label is the CA of the root of trust itself, with one the workload's"
curl -sS --cacert "$CA" -D "$WORK/head" -o "$WORK/got" "$EST/cacerts"
expect_line "$WORK/head" '^Content-Type: application/pkcs7-mime; smime-type=certs-only'
expect_line "$WORK/head" '^Content-Transfer-Encoding: base64'
take "$WORK/cacerts.pem"
openssl x509 -in "$WORK/cacerts.pem" -out "$WORK/cacerts-1.pem"
openssl x509 -in "$CA" -out "$WORK/ca-1.pem"
expect_same "$WORK/cacerts-1.pem" "$WORK/ca-1.pem"
curl -sS --cacert "$CA" -o "$WORK/got" "$EST/shop/cacerts"
take "$WORK/shop-ca.pem"
openssl x509 -in "$WORK/shop-ca.pem" -out "$WORK/shop-ca-1.pem"
seal workload show shop -o json | member ca_bundle >"$WORK/shop-bundle.pem"
openssl x509 -in "$WORK/shop-bundle.pem" -out "$WORK/shop-ca-2.pem"
expect_same "$WORK/shop-ca-1.pem" "$WORK/shop-ca-2.pem"

say "every bad credential is one refusal, and spends nothing"
credential "$WORK/cred" --peer web --hostname web.example.com
GOOD=$ID
SECRET=$(sed -E 's/^user = "[0-9a-f]+:(.*)"$/\1/' "$WORK/cred")
[ ${#SECRET} = 43 ] || fail "the credential reads $(cat "$WORK/cred")"
[ "$(stat -c %a "$WORK/cred")" = 600 ] || fail "the credential's file may be read by others"
expect_refused_est "no credential" simpleenroll "$WORK/one.b64"
expect_refused_est "a wrong secret" simpleenroll "$WORK/one.b64" -u "$GOOD:${SECRET%?}$([ "${SECRET: -1}" = A ] && echo B || echo A)"
expect_refused_est "an unknown id" simpleenroll "$WORK/one.b64" -u "00000000000000000000000000000000:$SECRET"
expect_refused_est "no id" simpleenroll "$WORK/one.b64" -u "admin:admin"
expect_refused_est "another scheme" simpleenroll "$WORK/one.b64" -H "Authorization: Bearer $SECRET"
expect_refused_est "another workload's label" other/simpleenroll "$WORK/one.b64" -K "$WORK/cred"
expect_refused_est "a workload that is not there" nothere/simpleenroll "$WORK/one.b64" -K "$WORK/cred"
say "every bad request is told what is wrong with it, and spends nothing"
openssl genrsa -out "$WORK/rsa.key" 2048 2>/dev/null
openssl req -new -key "$WORK/rsa.key" -subj /CN=x -outform DER | openssl base64 >"$WORK/rsa.b64"
openssl req -new -key "$WORK/one.key" -subj /CN=x >"$WORK/pem.b64"
openssl base64 -d -in "$WORK/one.b64" | python3 -c '
import sys
der = bytearray(sys.stdin.buffer.read())
der[-1] ^= 1
sys.stdout.buffer.write(der)' | openssl base64 >"$WORK/forged.b64"
printf 'AAAA' >"$WORK/short.b64"
: >"$WORK/empty.b64"
for bad in rsa pem forged short empty; do
	expect_est 400 "a $bad request" simpleenroll "$WORK/$bad.b64" -K "$WORK/cred"
	expect_line "$WORK/head" '^Content-Type: text/plain'
done
expect_est 400 "another type" simpleenroll "$WORK/one.b64" -K "$WORK/cred" -H 'Content-Type: text/html'
head -c 20000 /dev/zero | tr '\0' A >"$WORK/long.b64"
expect_est 413 "a long request" simpleenroll "$WORK/long.b64" -K "$WORK/cred"
expect_est 404 "serverkeygen" serverkeygen "$WORK/one.b64" -K "$WORK/cred"
expect_est 404 "fullcmc" fullcmc "$WORK/one.b64" -K "$WORK/cred"
expect_est 405 "a POST to cacerts" cacerts "$WORK/one.b64"
expect_line "$WORK/head" '^Allow: GET'
[ "$(curl -sS --cacert "$CA" -o /dev/null -w '%{http_code}' "$EST/csrattrs")" = 204 ] || fail "csrattrs asks for something"
[ "$(curl -sS --cacert "$CA" -o /dev/null -w '%{http_code}' "$EST/simpleenroll")" = 405 ] || fail "a GET enrols"
[ "$(curl -sS --cacert "$CA" -o /dev/null -w '%{http_code}' "$EST/nothere/cacerts")" = 404 ] || fail "nobody's cacerts"
[ "$(state_of "$GOOD")" = live ] || fail "it was spent by one of these: $(state_of "$GOOD")"
[ "$(seal status -o json | member certificates)" = 0 ] || fail "something was issued"

say "the good one is good for one certificate, with the names of the enrolment"
expect_est 200 "the good one" shop/simpleenroll "$WORK/one.b64" -K "$WORK/cred"
take "$WORK/one.pem"
[ "$(grep -c BEGIN "$WORK/one.pem")" = 1 ] || fail "more than the certificate"
expect_names "$WORK/one.pem" DNS:any DNS:web DNS:web.example.com URI:spiffe://seal.test/workload/shop/peer/web
[[ "$(subject "$WORK/one.pem")" = "subject=CN=web"* ]] || fail "the subject is $(subject "$WORK/one.pem")"
openssl verify -CAfile "$WORK/shop-ca.pem" "$WORK/one.pem" >/dev/null || fail "it does not verify"
[ "$(openssl x509 -in "$WORK/one.pem" -noout -pubkey)" = "$(openssl pkey -in "$WORK/one.key" -pubout)" ] || fail "for another key"
expect_refused_est "the same again" simpleenroll "$WORK/one.b64" -K "$WORK/cred"
[ "$(state_of "$GOOD")" = spent ] || fail "it is $(state_of "$GOOD")"

say "twenty race for one credential: one wins"
credential "$WORK/race" --peer db
racers=()
for i in $(seq 20); do
	curl -sS --max-time 20 --cacert "$CA" -o "$WORK/race-$i" -w '%{http_code}\n' -K "$WORK/race" \
		-H 'Content-Type: application/pkcs10' --data-binary "@$WORK/one.b64" "$EST/simpleenroll" >"$WORK/status-$i" &
	racers+=($!)
done
wait "${racers[@]}"
[ "$(cat "$WORK"/status-* | grep -c '^200$')" = 1 ] || fail "it was good for $(cat "$WORK"/status-* | sort | uniq -c | paste -sd ' ')"
[ "$(cat "$WORK"/status-* | grep -cE '^(200|401|429)$')" = 20 ] || fail "$(cat "$WORK"/status-* | sort | uniq -c)"
[ "$(seal status -o json | member certificates)" = 2 ] || fail "more than one was recorded"

say "what has expired, or was revoked, is refused likewise"
credential "$WORK/late" --expires 1s
sleep 1.2
expect_refused_est "an expired one" simpleenroll "$WORK/one.b64" -K "$WORK/late"
credential "$WORK/gone"
seal enrolment revoke "$ID" --yes >/dev/null
expect_refused_est "a revoked one" simpleenroll "$WORK/one.b64" -K "$WORK/gone"

say "a certificate is followed by another, for a new key or the same"
request two "/CN=admin"
with_one=(--cert "$WORK/one.pem" --key "$WORK/one.key")
expect_est 200 "simplereenroll" shop/simplereenroll "$WORK/two.b64" "${with_one[@]}"
take "$WORK/two.pem"
expect_names "$WORK/two.pem" DNS:any DNS:web DNS:web.example.com URI:spiffe://seal.test/workload/shop/peer/web
[ "$(openssl x509 -in "$WORK/two.pem" -noout -pubkey)" = "$(openssl pkey -in "$WORK/two.key" -pubout)" ] || fail "for another key"
expect_est 200 "with the same key" simplereenroll "$WORK/two.b64" --cert "$WORK/two.pem" --key "$WORK/two.key"
expect_est 403 "without a certificate" simplereenroll "$WORK/two.b64"
expect_est 403 "for another label" other/simplereenroll "$WORK/two.b64" "${with_one[@]}"
seal cert issue shop --peer web -o "$WORK/issued" >/dev/null
expect_est 403 "with one that seal cert issue made" simplereenroll "$WORK/two.b64" --cert "$WORK/issued/cert.pem" --key "$WORK/issued/key.pem"
expect_est 403 "with the operator's" simplereenroll "$WORK/two.b64" --cert "$ROT_DIR/admin/cert.pem" --key "$ROT_DIR/admin/key.pem"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$WORK/self.key" -out "$WORK/self.pem" -subj /CN=web \
	-addext "subjectAltName=DNS:any,DNS:web,URI:spiffe://seal.test/workload/shop/peer/web" 2>/dev/null
got=$(est simplereenroll "$WORK/two.b64" --cert "$WORK/self.pem" --key "$WORK/self.key" 2>/dev/null) || true
[ "$got" = 403 ] || [ "$got" = 000 ] || fail "with a self-signed one: $got"

say "the main listener still speaks with nobody who has no certificate"
! curl -sS --max-time 10 --cacert "$CA" "https://$ROT_HOST:$ROT_PORT/v1/status" >"$WORK/got" 2>"$WORK/err" || fail "it answers: $(cat "$WORK/got")"
[ ! -s "$WORK/got" ] || fail "it says something"
! curl -sS --max-time 10 --cacert "$CA" "https://$ROT_HOST:$ROT_PORT/.well-known/est/cacerts" >"$WORK/got" 2>"$WORK/err" || fail "EST is there as well"
[ "$(curl -sS --cacert "$CA" -o /dev/null -w '%{http_code}' "https://$ROT_HOST:8444/v1/status")" = 404 ] || fail "the API is on the EST listener"
[ "$(curl -sS --cacert "$CA" --cert "$ROT_DIR/admin/cert.pem" --key "$ROT_DIR/admin/key.pem" -o /dev/null -w '%{http_code}' \
	"https://$ROT_HOST:8444/v1/workloads")" = 404 ] || fail "the API is on the EST listener, for operators"
! curl -sS --tls-max 1.2 --cacert "$CA" "$EST/cacerts" >/dev/null 2>&1 || fail "TLS 1.2 is spoken"

say "the certificate opens a pod's listener"
pod_new db
witness db 8080
sidecar db db --inbound 8443=8080/web
mkdir -m 0700 "$WORK/outside"
install -m 0600 "$WORK/shop-ca.pem" "$WORK/outside/ca.pem"
install -m 0600 "$WORK/two.pem" "$WORK/outside/cert.pem"
install -m 0600 "$WORK/two.key" "$WORK/outside/key.pem"
start home outside "$SEAL_BUILD/seal-proxy" --health "$HEALTH" --credentials "$WORK/outside" --outbound 7000=db:8443/db
wait_for 20 "the proxy outside" is_healthy home
[ "$(printf 'hello' | timeout 20 python3 "$SUPPORT/halfclose.py" 127.0.0.1 7000)" = hello ] || fail "nothing came back"
printf 'hello through EST\n' | timeout 10 openssl s_client -quiet -no_ign_eof -connect db:8443 -cert "$WORK/two.pem" \
	-key "$WORK/two.key" -CAfile "$WORK/shop-ca.pem" -verify_return_error >/dev/null 2>&1 || true
wait_for 10 "what openssl s_client sent" has_line "$WORK/witness-db" 'hello through EST'
stop outside

say "revoking the enrolment ends its certificates"
seal enrolment revoke "$GOOD" --yes >/dev/null
request three
expect_est 403 "one of them" simplereenroll "$WORK/three.b64" --cert "$WORK/two.pem" --key "$WORK/two.key"
expect_est 403 "the first of them" simplereenroll "$WORK/three.b64" "${with_one[@]}"
[ "$(seal enrolment list shop -o json | python3 -c 'import json, sys; print(len(json.load(sys.stdin)["enrolments"]))')" = 4 ] || fail "not all are listed"

say "what could not be told is withdrawn, and leaves no file"
expect_exit 1 sh -c "exec '$SEAL_BUILD/seal' --dir '$ROT_DIR' cert enrol shop -o '$WORK/unprinted' >/dev/full"
expect_line "$WORK/err" 'was revoked'
[ ! -e "$WORK/unprinted" ] || fail "a withdrawn enrolment left its file"

say "each of these is in the audit log, and no secret in any log"
seal audit list -o json >"$WORK/audit"
expect_line "$WORK/audit" '"kind": *"enrolment.create"'
expect_line "$WORK/audit" '"actor": *"enrolment/'"$GOOD"'"'
expect_line "$WORK/audit" '"kind": *"enrol"'
expect_line "$WORK/audit" '"kind": *"enrolment.revoke"'
expect_no_line "$WORK/audit" "$SECRET"
expect_no_line "$LOGS/rot.log" "$SECRET"
expect_line "$LOGS/rot.log" 'event=enrolled'
expect_line "$LOGS/rot.log" 'event=reenrolled'
expect_line "$LOGS/rot.log" 'event=enrol_refused'
is_alive rot || fail "seal-rot died on the way"
stop rot
[ "$STATUS" = 0 ] || fail "seal-rot ended with $STATUS"
